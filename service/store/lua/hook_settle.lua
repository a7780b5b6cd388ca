-- What became of a message that was taken: it was 'delivered', is tried 'again' after a time, is
-- 'given_up', its receiver is 'gone', or it was not tried ('returned').
-- ARGV: hook, '', message, what became of it, ms until the next try, HTTP status, error
local hook, message, outcome = ARGV[1], ARGV[3], ARGV[4]
local place, outbox = key('webhook', hook), key('outbox', hook)
local delivery = key('delivery', hook .. ':' .. message)
if not redis.call('ZSCORE', outbox, message) then
    return {'ok'} -- the hook was removed, or another server was quicker
end
local now = now_ms()
if outcome == 'again' or outcome == 'returned' then
    redis.call('ZADD', outbox, whole(now + ARGV[5]), message)
else
    redis.call('ZREM', outbox, message)
    redis.call('DEL', delivery)
end
if outcome == 'returned' then
    return {'ok'}
end
redis.call('HSET', place, 'last_ms', whole(now), 'last_status', ARGV[6], 'last_error', ARGV[7])
if outcome == 'delivered' then
    redis.call('HINCRBY', place, 'delivered', 1)
    redis.call('HSET', place, 'failures', '0')
    return {'ok'}
end
redis.call('HINCRBY', place, 'failures', 1)
if outcome == 'again' then
    redis.call('HINCRBY', delivery, 'tries', 1)
else
    redis.call('HINCRBY', place, 'given_up', 1)
end
if outcome == 'gone' then
    redis.call('HSET', place, 'disabled', '1')
    redis.call('HINCRBY', place, 'given_up', empty_outbox(hook))
end
return {'ok'}
