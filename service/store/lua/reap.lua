-- Takes jobs away from workers whose lease ran out, and repairs indexes that lost an entry and jobs that
-- wait for one that has ended.
-- Answers 'ok' and the numbers of jobs that wait again, failed, ended as wished, were repaired.
-- ARGV: '', rules, max_lost
local now = now_ms()
local count = {queued = 0, failed = 0, ended = 0, repaired = 0}

for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('ends'), '-inf', whole(now), 'LIMIT', 0, 100)) do
    local state = expire(id, now)
    if not state then
        redis.call('ZREM', key('ends'), id)
    end
    state = state or 'repaired'
    state = count[state] and state or 'ended'
    count[state] = count[state] + 1
end

local expired = redis.call('ZRANGEBYSCORE', key('leases'), '-inf', whole(now), 'LIMIT', 0, 100)
for _, id in ipairs(expired) do
    if standing(id) ~= 'running' then
        redis.call('ZREM', key('leases'), id)
        count.repaired = count.repaired + 1
    else
        local state = lose(id, ARGV[3])
        state = count[state] and state or 'ended'
        count[state] = count[state] + 1
    end
end

-- A running job without a lease gets one: if its worker lives it will renew it.
for _, id in ipairs(redis.call('ZRANGE', key('state', 'running'), 0, -1)) do
    if not redis.call('ZSCORE', key('leases'), id) then
        local lease = redis.call('HGET', key('job', id), 'lease_ms') or '30000'
        redis.call('ZADD', key('leases'), now + lease, id)
        count.repaired = count.repaired + 1
    end
end

local in_line = redis.call('ZCARD', key('waiting')) + redis.call('ZCARD', key('blocked'))
for _, device in ipairs(devices) do
    in_line = in_line + redis.call('ZCARD', key('waiting', device))
end
if in_line ~= redis.call('ZCARD', key('state', 'queued')) then
    for _, id in ipairs(redis.call('ZRANGE', key('state', 'queued'), 0, -1)) do
        if not redis.call('ZSCORE', line_of(id), id)
            and not redis.call('ZSCORE', key('blocked'), id) then
            wait_in_line(id)
            count.repaired = count.repaired + 1
        end
    end
end

-- Each call looks at the next few of those that stand aside.
local from = redis.call('GET', key('blocked_seen'))
local blocked = redis.call('ZRANGEBYLEX', key('blocked'), from and '(' .. from or '-', '+', 'LIMIT', 0, 1000)
for _, id in ipairs(blocked) do
    local waits = redis.call('HGET', key('job', id), 'waits_for')
    for other in string.gmatch(waits or '', '%S+') do
        local state = standing(other)
        if finished[state] or state == 'absent' then
            hear_of_end(id, other, state)
            count.repaired = count.repaired + 1
        end
    end
end
if #blocked == 1000 then
    redis.call('SET', key('blocked_seen'), blocked[#blocked])
elseif from then
    redis.call('DEL', key('blocked_seen'))
end
return {'ok', count.queued, count.failed, count.ended, count.repaired}
