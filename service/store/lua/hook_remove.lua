-- Removes a webhook and what it has not been sent yet.
-- ARGV: id
if redis.call('ZREM', key('webhooks'), ARGV[1]) == 0 then
    return {'not_found'}
end
empty_outbox(ARGV[1])
redis.call('DEL', key('webhook', ARGV[1]))
return {'ok'}
