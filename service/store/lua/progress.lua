-- Publishes a point of the learning curve once. Its identity is phase and step, and points of a
-- phase come in order, so a step that is not after the last one has been published before: by the
-- attempt that this one resumes.
-- ARGV: id, rules, attempt, phase, step, point, top1 of an eval point or ''
local id, phase = ARGV[1], ARGV[4]
local job = key('job', id)
local state, wish = standing(id)
local refusal = refuse_stale(id, ARGV[3])
if refusal then
    return refusal
end
if not rule('progress', state, wish) then
    return state == 'absent' and {'not_found'} or {'conflict', state, wish}
end
local known = redis.call('HMGET', job, 'last_' .. phase, 'best_top1')
if tonumber(ARGV[5]) <= tonumber(known[1] or '-1') then
    return {'ok'}
end

local now = whole(now_ms())
local seq = redis.call('HINCRBY', job, 'points', 1)
local stored = seq .. ' ' .. now .. ' ' .. ARGV[6]
redis.call('XADD', key('points', id), seq .. '-0', 'at', now, 'point', ARGV[6])
-- Something new was reached, so the job does not kill its workers.
redis.call('HSET', job, 'last_' .. phase, ARGV[5], phase, stored, 'lost', '0', 'updated_ms', now)
if ARGV[7] ~= '' and tonumber(ARGV[7]) > tonumber(known[2] or '-1') then
    redis.call('HSET', job, 'best', stored, 'best_top1', ARGV[7])
end
if phase == 'eval' then
    local epoch = whole(cjson.decode(ARGV[6]).epoch)
    record(id, 'epoch', state, wish, now, {'epoch', epoch, 'step', ARGV[5]})
end
notify(id)
return {'ok'}
