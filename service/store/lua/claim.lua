-- Takes the job that waits first of those that ask for no device or one of the worker's. Answers 'ok'
-- with the job, or 'none'.
-- ARGV: worker's name, rules, its instance, lease in ms, max_lost, devices that it has
local worker, instance = ARGV[1], ARGV[3]

local function lease(id)
    redis.call('ZADD', key('leases'), now_ms() + ARGV[4], id)
    return {'ok', job_fields(id)}
end

-- What this worker had before. The same instance has missed the answer to its claim; a new one
-- means that the worker died, which nobody needs to wait for.
local held = redis.call('HGET', key('workers'), worker)
if held then
    local owner = redis.call('HMGET', key('job', held), 'state', 'worker', 'instance')
    if owner[1] == 'running' and owner[2] == worker then
        if owner[3] == instance then
            return lease(held)
        end
        lose(held, ARGV[5])
    end
    redis.call('HDEL', key('workers'), worker)
end

local lines = {key('waiting')}
for i = 6, #ARGV do
    lines[#lines + 1] = key('waiting', ARGV[i])
end

local function first_in_line()
    local first, place, where
    for _, line in ipairs(lines) do
        local head = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
        if head[1] and (not place or tonumber(head[2]) < place) then
            first, place, where = head[1], tonumber(head[2]), line
        end
    end
    return first, where
end

while true do
    local id, line = first_in_line()
    if not id then
        return {'none'}
    end
    local now = now_ms()
    local before = redis.call('HMGET', key('job', id), 'attempt', 'started_ms')
    local started = before[2] ~= '0' and before[2] or whole(now)
    local state = not is_over(id, now) and transition(id, 'claim', {'worker', worker, 'instance', instance,
        'lease_ms', ARGV[4], 'attempt', (before[1] or 0) + 1, 'started_ms', started}, {'worker', worker})
    if state then
        redis.call('HSET', key('workers'), worker, id)
        return lease(id)
    end
    if is_over(id, now) then
        expire(id, now)
    end
    redis.call('ZREM', line, id) -- an index entry without its job
end
