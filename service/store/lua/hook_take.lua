-- Takes messages whose time has come, hook by hook, and hides them from others for the lease. Answers
-- 'ok' with each: the hook's hash, the message's id, its hash, and the job's hash or nothing.
-- ARGV: '', '', lease in ms, how many at most, how many of a hook, ids of hooks that have so many
local now, left = now_ms(), tonumber(ARGV[4])
local busy, taken = {}, {}
for i = 6, #ARGV do
    busy[ARGV[i]] = (busy[ARGV[i]] or 0) + 1
end
for _, hook in ipairs(redis.call('ZRANGE', key('webhooks'), 0, -1)) do
    local room = math.min(left, tonumber(ARGV[5]) - (busy[hook] or 0))
    local due = room > 0 and redis.call('ZRANGEBYSCORE', key('outbox', hook), '-inf', whole(now),
        'LIMIT', 0, room) or {}
    for _, message in ipairs(due) do
        local fields = redis.call('HMGET', key('delivery', hook .. ':' .. message), 'type', 'at', 'tries',
            'data')
        redis.call('ZADD', key('outbox', hook), whole(now + ARGV[3]), message)
        taken[#taken + 1] = {redis.call('HGETALL', key('webhook', hook)), message, fields[1], fields[2],
            fields[3], cmsgpack.unpack(fields[4])}
        left = left - 1
    end
end
return {'ok', taken}
