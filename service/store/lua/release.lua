-- The worker has stopped and gives the job back; this costs the job nothing.
-- ARGV: id, rules, attempt
return refuse_stale(ARGV[1], ARGV[3]) or change('release', {'lost', '0'})
