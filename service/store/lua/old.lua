-- Looks at a few jobs of a state, oldest first, for those that finished long ago. Answers 'ok' with the
-- cursor of the next few ('' at the end) and the jobs, each its id and for how long it has been
-- finished.
-- ARGV: '', '', state, cursor ('' at the beginning), how many to look at, least ms since the end
local look, now = tonumber(ARGV[5]), now_ms()
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local ids = redis.call('ZRANGEBYLEX', key('state', ARGV[3]), from, '+', 'LIMIT', 0, look)
local found = {}
for _, id in ipairs(ids) do
    local finished = tonumber(redis.call('HGET', key('job', id), 'finished_ms') or '0')
    if finished > 0 and now - finished >= tonumber(ARGV[6]) then
        found[#found + 1] = {id, whole(now - finished)}
    end
end
return {'ok', #ids == look and ids[look] or '', found}
