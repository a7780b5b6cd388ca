-- Brings what is stored here to a version of the schema, and sees to it that all processes around
-- this Redis have the same data directory: the first one notes its own. Answers 'ok' with the version
-- that was found, 'newer' with it, or 'other' with id and place of the directory that is noted.
-- ARGV: id of the data directory or '' to only look, '', the version, where the directory is
local wanted = tonumber(ARGV[3])

-- STEPS[n] makes version n of version n - 1.
local STEPS = {
    function() end, -- 1: the first that is written down; stores from before are like it
    function() end, -- 2: of the data directory only
}

local found = tonumber(redis.call('GET', key('schema')) or '0')
if found > wanted then
    return {'newer', whole(found)}
end
local noted = redis.call('HMGET', key('data'), 'id', 'place')
if ARGV[1] ~= '' and noted[1] and noted[1] ~= ARGV[1] then
    return {'other', noted[1], noted[2]}
end
if ARGV[1] ~= '' then
    for version = found + 1, wanted do
        STEPS[version]()
    end
    redis.call('SET', key('schema'), whole(wanted))
    redis.call('HSET', key('data'), 'id', ARGV[1], 'place', ARGV[4])
end
return {'ok', whole(found)}
