-- Answers 'ok' with the time in ms and the workers that are remembered, those heard of last first:
-- each its hash, the job it has or '', and that job's attempt.
-- ARGV: '', '', how many at most
local found = {}
for _, name in ipairs(redis.call('ZREVRANGE', key('heard'), 0, ARGV[3] - 1)) do
    local fields = redis.call('HGETALL', key('worker', name))
    local held = redis.call('HGET', key('workers'), name)
    local job = held and redis.call('HMGET', key('job', held), 'state', 'worker', 'attempt') or {}
    local has = job[1] == 'running' and job[2] == name
    if #fields > 0 then
        found[#found + 1] = {fields, has and held or '', has and job[3] or '0'}
    end
end
return {'ok', whole(now_ms()), found}
