-- Answers 'ok' with up to limit jobs that are in all the indexes, newest first, and the cursor of the
-- next page or ''. Walks the smallest index and looks at a bounded number of its entries.
-- ARGV: '', '', cursor ('+' for the newest), limit, how many to look at, indexes
local limit, look = tonumber(ARGV[4]), tonumber(ARGV[5])
local walked, fewest
for i = 6, #ARGV do
    local count = redis.call('ZCARD', prefix .. ARGV[i])
    if not fewest or count < fewest then
        walked, fewest = i, count
    end
end

local function in_all(id)
    for i = 6, #ARGV do
        if i ~= walked and not redis.call('ZSCORE', prefix .. ARGV[i], id) then
            return false
        end
    end
    return true
end

if #ARGV == 6 then
    look = limit
end
local ids = redis.call('ZREVRANGEBYLEX', prefix .. ARGV[walked], ARGV[3], '-', 'LIMIT', 0, look + 1)
local jobs = {}
for i, id in ipairs(ids) do
    if #jobs == limit or i > look then
        return {'ok', jobs, ids[i - 1]}
    end
    if in_all(id) then
        jobs[#jobs + 1] = job_fields(id)
    end
end
return {'ok', jobs, ''}
