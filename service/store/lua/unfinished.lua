-- Answers 'ok' with a job of an index that is in one of the states, or ''. Walks the smaller of both:
-- finished jobs may be many.
-- ARGV: '', '', index, states
local function walk(one, other)
    for _, id in ipairs(redis.call('ZREVRANGE', one, 0, -1)) do
        if redis.call('ZSCORE', other, id) then
            return id
        end
    end
end

local named = prefix .. ARGV[3]
for i = 4, #ARGV do
    local state = key('state', ARGV[i])
    local fewer = redis.call('ZCARD', state) < redis.call('ZCARD', named)
    local id = fewer and walk(state, named) or not fewer and walk(named, state)
    if id then
        return {'ok', id}
    end
end
return {'ok', ''}
