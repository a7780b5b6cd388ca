-- Registers a webhook, unless there are so many already: 'full'. Answers 'ok' with its hash.
-- ARGV: id, '', most, url, events, tag, secret
local id = ARGV[1]
if not redis.call('ZSCORE', key('webhooks'), id) then
    if redis.call('ZCARD', key('webhooks')) >= tonumber(ARGV[3]) then
        return {'full'}
    end
    redis.call('HSET', key('webhook', id), 'id', id, 'url', ARGV[4], 'kinds', ' ' .. ARGV[5] .. ' ',
        'tag', ARGV[6], 'secret', ARGV[7], 'created', whole(now_ms()))
    redis.call('ZADD', key('webhooks'), 0, id)
end
return {'ok', redis.call('HGETALL', key('webhook', id)), '0'}
