-- A user deletes a finished job.
-- ARGV: id, rules
local id = ARGV[1]
local state, wish = standing(id)
if state == 'absent' then
    return {'not_found'}
end
if not rule('remove', state, wish) then
    return {'conflict', state, wish}
end
local digest = redis.call('HGET', key('job', id), 'idempotency')
if digest and redis.call('HGET', key('idempotency', digest), 'id') == id then
    redis.call('DEL', key('idempotency', digest)) -- it names nothing any more
end
redis.call('ZADD', key('removed'), 0, id)
redis.call('ZREM', key('jobs'), id)
unindex(id)
redis.call('ZREM', key('state', state), id)
redis.call('DEL', key('job', id), key('points', id), key('events', id),
    key('dependants', id))
notify(id)
return {'ok'}
