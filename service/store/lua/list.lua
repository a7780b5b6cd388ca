-- Answers 'ok' with up to limit jobs of an index, newest first.
-- ARGV: index, '', cursor ('+' for the newest), limit
local ids = redis.call('ZREVRANGEBYLEX', prefix .. ARGV[1], ARGV[3], '-', 'LIMIT', 0, ARGV[4])
local jobs = {}
for i, id in ipairs(ids) do
    jobs[i] = job_fields(id)
end
return {'ok', jobs}
