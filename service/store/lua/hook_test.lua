-- Sends a webhook a message about nothing.
-- ARGV: id, '', id of the message
local disabled = redis.call('HMGET', key('webhook', ARGV[1]), 'id', 'disabled')
if not disabled[1] then
    return {'not_found'}
end
if disabled[2] == '1' then
    return {'disabled'}
end
post(ARGV[1], ARGV[3], 'webhook.test', now_ms())
return {'ok'}
