-- Answers 'ok' with the number of jobs in each of the states that are named.
-- ARGV: states
local count = {}
for i, state in ipairs(ARGV) do
    count[i] = redis.call('ZCARD', key('state', state))
end
return {'ok', count}
