-- A user wants the job to end.
-- ARGV: id, rules
return change('cancel')
