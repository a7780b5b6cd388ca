-- A user wants a failed job to run again, from its last checkpoint and with a clean slate.
-- ARGV: id, rules
return change('retry', {'error', '', 'lost', '0'})
