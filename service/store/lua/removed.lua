-- Names a few removed jobs whose files may still be there.
-- ARGV: a job whose files are gone or '', '', how many to name
if ARGV[1] ~= '' then
    redis.call('SREM', key('removed'), ARGV[1])
end
return {'ok', redis.call('SRANDMEMBER', key('removed'), ARGV[3])}
