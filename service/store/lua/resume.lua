-- A user wants the job to go on.
-- ARGV: id, rules
return change('resume')
