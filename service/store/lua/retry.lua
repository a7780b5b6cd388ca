-- A user wants a failed job to run again, from its last checkpoint and with a clean slate. Jobs that it
-- depends on must have succeeded, or still be able to, and there must be time left until its deadline.
-- ARGV: id, rules
local id = ARGV[1]
local known = redis.call('HMGET', key('job', id), 'error', 'depends_on', 'owner',
    'active_jobs', 'deadline_ms')
local waits = ''
if rule('retry', standing(id)) then
    local refusal
    local deadline = tonumber(known[5] or '0')
    if deadline > 0 and deadline <= now_ms() then
        return {'late'}
    end
    waits, refusal = pending(known[2] or '')
    refusal = refusal or over_quota(known[3] or '', known[4] or '0')
    if refusal then
        return refusal
    end
end
local state, refusal = transition(id, 'retry', {'error', '', 'lost', '0', 'ran_ms', '0',
    'waits_for', waits}, {'message', error_message(known[1])})
if refusal then
    return refusal
end
depend(id)
return {'ok', job_fields(id)}
