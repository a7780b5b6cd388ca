-- Answers what a request with this idempotency key has made: 'exists' with the job, 'mismatch' when the
-- key belongs to another request, or 'none'.
-- ARGV: '', '', idempotency digest, fingerprint
return made_before(ARGV[3], ARGV[4]) or {'none'}
