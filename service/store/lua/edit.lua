-- A user changes name, tags or priority: the place in line and the indexes change with them.
-- ARGV: id, rules, indexes of the new tags or '', fields of the hash and their values
local id = ARGV[1]
local changes = {}
for i = 4, #ARGV do
    changes[#changes + 1] = ARGV[i]
end
local state, refusal = transition(id, 'edit', changes)
if refusal then
    return refusal
end
if state == 'queued' then
    wait_in_line(id)
end
if ARGV[3] ~= '' then
    unindex(id)
    local names = cjson.decode(ARGV[3])
    for _, name in ipairs(index_names(id)) do
        if not string.find(name, '^by:tag:') then
            names[#names + 1] = name
        end
    end
    redis.call('HSET', key('job', id), 'indexes', #names > 0 and cjson.encode(names) or '[]')
    index(id)
end
return {'ok', job_fields(id)}
