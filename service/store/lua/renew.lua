-- Prolongs a lease and stores the progress. Answers 'ok' with the wish.
-- ARGV: id, rules, attempt, lease in ms, progress
local id = ARGV[1]
local state, wish = standing(id)
local refusal = refuse_stale(id, ARGV[3])
if refusal then
    return refusal
end
if not rule('renew', state, wish) then
    return state == 'absent' and {'not_found'} or {'conflict', state, wish}
end
local now = now_ms()
if is_over(id, now) then
    return {'conflict', expire(id, now), 'none'}
end
local before = redis.call('HGET', key('job', id), 'progress')
local checkpoint = cjson.decode(ARGV[5]).checkpoint
if checkpoint > 0 and checkpoint ~= (before and cjson.decode(before).checkpoint) then
    record(id, 'checkpoint', state, wish, now, {'step', whole(checkpoint)})
end
redis.call('ZADD', key('leases'), now + ARGV[4], id)
redis.call('HSET', key('job', id), 'progress', ARGV[5], 'lease_ms', ARGV[4], 'updated_ms', whole(now))
notify(id)
return {'ok', wish}
