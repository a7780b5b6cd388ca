-- The worker reports that the job cannot succeed.
-- ARGV: id, rules, attempt, error
return refuse_stale(ARGV[1], ARGV[3]) or
    change('fail', {'error', ARGV[4], 'lost', '0'}, {'message', error_message(ARGV[4])})
