-- Names a few removed jobs whose files may still be there.
-- ARGV: a job whose files are gone or '', '', how many to name
if ARGV[1] ~= '' then
    redis.call('ZREM', key('removed'), ARGV[1])
end
return {'ok', redis.call('ZRANGE', key('removed'), 0, ARGV[3] - 1)}
