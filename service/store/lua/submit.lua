-- Creates a queued job, once per id and once per idempotency key.
-- ARGV: id, rules, spec, priority, idempotency digest or '', fingerprint, its life in ms, indexes,
-- id of the job whose spec it is or '', deadline and longest run in ms or 0, ids that it depends on,
-- owner or '', how many jobs of the owner may not have ended or 0, the device that it asks for
local id, digest = ARGV[1], ARGV[5]

if digest ~= '' then
    local made = made_before(digest, ARGV[6])
    if made then
        return made
    end
end

local now = whole(now_ms())
local waits = ''
if redis.call('EXISTS', key('job', id)) == 0 then
    local refusal
    waits, refusal = pending(ARGV[12])
    if refusal then
        return refusal
    end
    refusal = over_quota(ARGV[13], ARGV[14])
    if refusal then
        return refusal
    end
    if redis.call('ZCARD', key('jobs')) >= @LIMIT_JOBS@ then
        return {'full', '@LIMIT_JOBS@'}
    end
    redis.call('HSET', key('job', id), 'order', redis.call('INCR', key('order')), 'priority', ARGV[4],
        'device', ARGV[15])
end
local state, refusal = transition(id, 'submit', {'id', id, 'spec', ARGV[3], 'attempt', '0',
    'indexes', ARGV[8], 'rerun_of', ARGV[9], 'deadline_ms', ARGV[10], 'max_runtime_ms', ARGV[11],
    'owner', ARGV[13], 'active_jobs', ARGV[14], 'ran_ms', '0', 'depends_on', ARGV[12], 'waits_for', waits, 'lost', '0', 'points', '0',
    'created_ms', now, 'started_ms', '0'})
if refusal then
    if redis.call('HGET', key('job', id), 'spec') == ARGV[3] then
        return {'exists', job_fields(id)}
    end
    return refusal
end
redis.call('ZADD', key('jobs'), 0, id)
index(id)
depend(id)
if digest ~= '' then
    redis.call('HSET', key('idempotency', digest), 'id', id, 'fingerprint', ARGV[6])
    redis.call('PEXPIRE', key('idempotency', digest), ARGV[7])
    redis.call('HSET', key('job', id), 'idempotency', digest)
end
return {'ok', job_fields(id)}
