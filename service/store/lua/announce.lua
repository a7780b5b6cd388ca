-- A worker says that it is there, or that it ends. A new instance of a name takes its place.
-- ARGV: worker's name, '', its instance, its card, ms after which it is lost, ms to remember it,
-- '1' when it ends
local name, instance = ARGV[1], ARGV[3]
local place, now = key('worker', name), now_ms()
local before = redis.call('HGET', place, 'instance')
if ARGV[7] == '1' and before ~= instance then
    return {'ok'} -- another one has the name already
end
if before ~= instance then
    redis.call('DEL', place)
    redis.call('HSET', place, 'since_ms', whole(now))
end
redis.call('HSET', place, 'instance', instance, 'card', ARGV[4], 'lost_after_ms', ARGV[5],
    'heard_ms', whole(now), 'ended', ARGV[7])
redis.call('PEXPIRE', place, ARGV[6])
redis.call('ZADD', key('heard'), now, name)
redis.call('ZREMRANGEBYSCORE', key('heard'), '-inf', now - ARGV[6])
return {'ok'}
