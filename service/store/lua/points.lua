-- Answers 'ok' with the points after seq `since`, as the stream holds them.
-- ARGV: id, '', since, limit. Entries are <seq>-0, so the first after since is behind <since>-1; as text,
-- since the numbers of Lua would round it.
if redis.call('EXISTS', key('job', ARGV[1])) == 0 then
    return {'not_found'}
end
return {'ok', redis.call('XRANGE', key('points', ARGV[1]), ARGV[3] .. '-1', '+', 'COUNT', ARGV[4])}
