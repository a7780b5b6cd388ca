-- Answers 'ok' with a job.
-- ARGV: id
local fields = job_fields(ARGV[1])
return #fields == 0 and {'not_found'} or {'ok', fields}
