-- Answers 'ok' with webhooks, oldest first, each its hash and how many messages wait for it.
-- ARGV: id of the only one that is wanted or '', '', after which id, how many at most
local ids = {ARGV[1]}
if ARGV[1] == '' then
    local from = ARGV[3] == '' and '-' or '(' .. ARGV[3]
    ids = redis.call('ZRANGEBYLEX', key('webhooks'), from, '+', 'LIMIT', 0, ARGV[4])
end
local found = {}
for _, id in ipairs(ids) do
    local fields = redis.call('HGETALL', key('webhook', id))
    if #fields > 0 then
        found[#found + 1] = {fields, whole(redis.call('ZCARD', key('outbox', id)))}
    end
end
return {'ok', found}
