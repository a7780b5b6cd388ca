-- Answers 'ok' with the age in ms of the oldest job that waits for a worker, and 0 without one; of many
-- jobs that wait for others it looks at some.
for _, id in ipairs(redis.call('ZRANGE', key('state', 'queued'), 0, 99)) do
    if not redis.call('ZSCORE', key('blocked'), id) then
        return {'ok', whole(now_ms() - (tonumber(redis.call('HGET', key('job', id), 'created_ms')) or now_ms()))}
    end
end
return {'ok', '0'}
