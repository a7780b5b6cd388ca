-- A user wants a failed job to run again, from its last checkpoint and with a clean slate.
-- ARGV: id, rules
local reason = error_message(redis.call('HGET', key('job', ARGV[1]), 'error'))
return change('retry', {'error', '', 'lost', '0'}, {'message', reason})
