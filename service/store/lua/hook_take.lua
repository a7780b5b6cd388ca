-- Takes messages whose time has come, hook by hook, and hides them from others for the lease. The walk
-- begins behind the hook that was served last, and a hook whose last try failed gets one at a time: so
-- those that never answer leave room for the others. Answers 'ok' with each: the hook's hash, the
-- message's id, its hash, and the job's hash or nothing.
-- ARGV: '', '', lease in ms, how many at most, how many of a hook, ids of hooks that have so many
local now, left = now_ms(), tonumber(ARGV[4])
local busy, taken = {}, {}
for i = 6, #ARGV do
    busy[ARGV[i]] = (busy[ARGV[i]] or 0) + 1
end

local function hooks_in_turn()
    local hooks = redis.call('ZRANGE', key('webhooks'), 0, -1)
    local served = redis.call('GET', key('hook_served')) or ''
    local first, last = {}, {}
    for _, hook in ipairs(hooks) do
        local part = hook > served and first or last
        part[#part + 1] = hook
    end
    for _, hook in ipairs(last) do
        first[#first + 1] = hook
    end
    return first
end

local function room_of(hook)
    local has_failed = (redis.call('HGET', key('webhook', hook), 'failures') or '0') ~= '0'
    return math.min(left, (has_failed and 1 or tonumber(ARGV[5])) - (busy[hook] or 0))
end

for _, hook in ipairs(hooks_in_turn()) do
    local room = left > 0 and room_of(hook) or 0
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
    if #due > 0 then
        redis.call('SET', key('hook_served'), hook)
    end
end
return {'ok', taken}
