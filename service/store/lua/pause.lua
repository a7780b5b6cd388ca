-- A user wants the job to wait.
-- ARGV: id, rules
return change('pause')
