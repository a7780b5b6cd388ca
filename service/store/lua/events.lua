-- Answers 'ok' with the events after seq `since`, as the stream holds them.
-- ARGV: id, '', since, limit
if redis.call('EXISTS', key('job', ARGV[1])) == 0 then
    return {'not_found'}
end
return {'ok', redis.call('XRANGE', key('events', ARGV[1]), (ARGV[3] + 1) .. '-0', '+', 'COUNT', ARGV[4])}
