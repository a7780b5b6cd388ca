-- prelude.lua: stands in front of every script.
--
-- KEYS[1] is the prefix of all keys (keys.h). ARGV[1] is the job's id where there is one, ARGV[2]
-- the rules that may apply: rows of api/job.h's table as "event=from:wish>to:wish_then ". What no
-- rule allows does not happen. The hash of a job is the truth, the sorted sets follow it.
--
-- An answer is an array: 'ok' and what was asked for, or the reason why not: 'not_found',
-- 'conflict' with state and wish, 'stale' with the newest attempt.

local prefix = KEYS[1]

local function key(kind, id)
    return prefix .. kind .. (id and (':' .. id) or '')
end

-- The server's clock: leases of different machines are compared with it alone.
local function now_ms()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function whole(number)
    return string.format('%.0f', number)
end

local function rule(event, state, wish)
    local rows = '(%a+)=(%a+):(%a+)>(%a+):(%a+)'
    for name, from, from_wish, to, to_wish in string.gmatch(ARGV[2], rows) do
        if name == event and from == state and from_wish == wish then
            return to, to_wish
        end
    end
end

-- State and wish of a job, 'absent' when there is none.
local function standing(id)
    local found = redis.call('HMGET', key('job', id), 'state', 'requested')
    return found[1] or 'absent', found[2] or 'none'
end

local function job_fields(id)
    return redis.call('HGETALL', key('job', id))
end

-- By what a job can be found: the names that its hash lists.
local function index_names(id)
    return cjson.decode(redis.call('HGET', key('job', id), 'indexes') or '[]')
end

local function index(id)
    for _, name in ipairs(index_names(id)) do
        redis.call('ZADD', prefix .. name, 0, id)
    end
end

local function unindex(id)
    for _, name in ipairs(index_names(id)) do
        redis.call('ZREM', prefix .. name, id)
    end
end

-- Wakes those who wait for changes.
local function notify(id)
    redis.call('XADD', key('changes'), 'MAXLEN', '~', '@LIMIT_CHANGES@', '*', 'job', id)
end

-- What an idempotency key has made, as an answer; nil when that is nothing, or nothing any more.
local function made_before(digest, fingerprint)
    local known = redis.call('HMGET', key('idempotency', digest), 'id', 'fingerprint')
    if known[1] and redis.call('EXISTS', key('job', known[1])) == 1 then
        return known[2] == fingerprint and {'exists', job_fields(known[1])} or {'mismatch'}
    end
end

-- Who asks for a device waits in its line, the others in one of all devices; a new device is added here.
local devices = {'cpu', 'ref', 'cuda'}

local function line_of(id)
    local device = redis.call('HGET', key('job', id), 'device')
    for _, known in ipairs(devices) do
        if known == device then
            return key('waiting', device)
        end
    end
    return key('waiting')
end

-- Higher priority first, then order of arrival; both are exact in a double. Who waits for other jobs
-- stands aside.
local function wait_in_line(id)
    local place = redis.call('HMGET', key('job', id), 'priority', 'order', 'waits_for')
    if (place[3] or '') ~= '' then
        redis.call('ZADD', key('blocked'), 0, id)
    else
        redis.call('ZADD', line_of(id), place[2] - place[1] * 1e12, id)
    end
end

local function free_worker(id)
    local worker = redis.call('HGET', key('job', id), 'worker')
    if worker and redis.call('HGET', key('workers'), worker) == id then
        redis.call('HDEL', key('workers'), worker)
    end
end

local finished = {succeeded = true, failed = true, cancelled = true}

local leave = {
    queued = function(id)
        redis.call('ZREM', line_of(id), id)
        redis.call('ZREM', key('blocked'), id)
    end,
    running = function(id, now)
        local since = redis.call('HGET', key('job', id), 'run_since_ms') or now
        redis.call('HINCRBY', key('job', id), 'ran_ms', whole(now - since))
        redis.call('ZREM', key('leases'), id)
        free_worker(id)
    end,
}

-- What is told outside when a job comes into another state, or else by what brought it there:
-- api/webhook.h has the names.
local told = {submit = 'job.submitted', claim = 'job.started', resume = 'job.resumed',
    retry = 'job.retried', release = 'job.interrupted', reap = 'job.interrupted',
    succeeded = 'job.succeeded', failed = 'job.failed', cancelled = 'job.cancelled',
    paused = 'job.paused'}

-- Puts a message into a hook's outbox, to be sent now; data is a job's hash or nothing. Of too many
-- the one that waits longest for its next try is given up.
local function post(hook, message, kind, now, data)
    local outbox = key('outbox', hook)
    redis.call('HSET', key('delivery', hook .. ':' .. message), 'type', kind, 'at', whole(now),
        'tries', '0', 'data', cmsgpack.pack(data or {}))
    redis.call('ZADD', outbox, whole(now), message)
    if redis.call('ZCARD', outbox) > @LIMIT_MESSAGES@ then
        local last = redis.call('ZPOPMAX', outbox)[1]
        redis.call('DEL', key('delivery', hook .. ':' .. last))
        redis.call('HINCRBY', key('webhook', hook), 'given_up', 1)
    end
end

-- Forgets what a hook has not been sent yet. Returns how much that was.
local function empty_outbox(hook)
    local messages = redis.call('ZRANGE', key('outbox', hook), 0, -1)
    for _, message in ipairs(messages) do
        redis.call('DEL', key('delivery', hook .. ':' .. message))
    end
    redis.call('DEL', key('outbox', hook))
    return #messages
end

local function has_tag(id, tag)
    for _, name in ipairs(index_names(id)) do
        if name == 'by:tag:' .. tag then
            return true
        end
    end
    return false
end

-- Tells those hooks that want to know; the message is named after the job and its event.
local function tell_hooks(id, kind, seq, now)
    local message = 'event_' .. string.gsub(id, '^job_', '') .. '_' .. seq
    for _, hook in ipairs(redis.call('ZRANGE', key('webhooks'), 0, -1)) do
        local wants = redis.call('HMGET', key('webhook', hook), 'kinds', 'tag', 'disabled')
        if wants[3] ~= '1' and string.find(wants[1], ' ' .. kind .. ' ', 1, true)
            and (wants[2] == '' or has_tag(id, wants[2])) then
            post(hook, message, kind, now, job_fields(id))
        end
    end
end

-- Adds to the job's events; notes is a list of more fields and values. Returns its number.
local function record(id, event, state, wish, now, notes)
    local attempt = redis.call('HGET', key('job', id), 'attempt') or '0'
    local seq = redis.call('HINCRBY', key('job', id), 'events', 1)
    redis.call('XADD', key('events', id), 'MAXLEN', '~', '@LIMIT_JOB_EVENTS@', seq .. '-0', 'event', event,
        'state', state, 'requested', wish, 'attempt', attempt, 'at', whole(now), unpack(notes or {}))
    notify(id)
    return seq
end

-- What the hash says why a job failed. The message has nothing that JSON would escape.
local function error_json(id, code, message, field)
    local attempt = redis.call('HGET', key('job', id), 'attempt') or '0'
    return string.format('{"code":"%s","message":"%s","field":"%s","step":null,"attempt":%s}', code,
        message, field, attempt)
end

-- When a job must have ended: its deadline, and while it runs what is left of its time.
local function schedule_end(id, state, now)
    local limits = redis.call('HMGET', key('job', id), 'deadline_ms', 'max_runtime_ms', 'ran_ms')
    local deadline, most = tonumber(limits[1] or '0'), tonumber(limits[2] or '0')
    local ends = deadline > 0 and deadline or math.huge
    if state == 'running' and most > 0 then
        ends = math.min(ends, now + most - (limits[3] or 0))
    end
    if finished[state] or ends == math.huge then
        redis.call('ZREM', key('ends'), id)
    else
        redis.call('ZADD', key('ends'), whole(ends), id)
    end
end

local function remove_word(words, word)
    local kept = {}
    for other in string.gmatch(words or '', '%S+') do
        if other ~= word then
            kept[#kept + 1] = other
        end
    end
    return table.concat(kept, ' ')
end

-- Those of the jobs that have not succeeded yet. nil and the reason when one never will, or when too
-- many wait for it.
local function pending(jobs)
    local waits = {}
    for id in string.gmatch(jobs or '', '%S+') do
        local state = standing(id)
        if state == 'absent' or (finished[state] and state ~= 'succeeded') then
            return nil, {'dependency', id, state}
        end
        if redis.call('SCARD', key('dependants', id)) >= @LIMIT_DEPENDANTS@ then
            return nil, {'dependency', id, 'waited for by @LIMIT_DEPENDANTS@ jobs already'}
        end
        if state ~= 'succeeded' then
            waits[#waits + 1] = id
        end
    end
    return table.concat(waits, ' ')
end

local function depend(id)
    local waits = redis.call('HGET', key('job', id), 'waits_for')
    for other in string.gmatch(waits or '', '%S+') do
        redis.call('SADD', key('dependants', other), id)
    end
end

-- The jobs of an owner that have not ended.
local function count_active(id, is_active)
    local owner = redis.call('HGET', key('job', id), 'owner') or ''
    if owner ~= '' then
        redis.call(is_active and 'SADD' or 'SREM', key('active', owner), id)
    end
end

-- nil when an owner may have one more job that has not ended, otherwise the answer that says no.
local function over_quota(owner, most)
    local active = redis.call('SCARD', key('active', owner))
    if owner ~= '' and most ~= '0' and active >= tonumber(most) then
        return {'quota', owner, tostring(active)}
    end
end

local transition

local function stop_waiting(id)
    local waits = redis.call('HGET', key('job', id), 'waits_for')
    for other in string.gmatch(waits or '', '%S+') do
        redis.call('SREM', key('dependants', other), id)
    end
    redis.call('HSET', key('job', id), 'waits_for', '')
end

-- A job has ended: one that waits for it goes on, or fails as well.
local function hear_of_end(other, id, state)
    local job = key('job', other)
    local message = 'job ' .. id .. ', on which it depends, is ' .. state
    if state ~= 'succeeded' then
        transition(other, 'forsake', {}, {'message', message},
            error_json(other, 'conflict', message, 'depends_on'))
    elseif standing(other) ~= 'absent' then
        redis.call('HSET', job, 'waits_for', remove_word(redis.call('HGET', job, 'waits_for'), id))
        if standing(other) == 'queued' then
            redis.call('ZREM', key('blocked'), other)
            wait_in_line(other)
        end
        notify(other)
    end
end

-- Ends of which those that wait have not heard yet: a list, as a chain of jobs may be longer than Lua's
-- stack is deep.
local ended, is_settling = {}, false

local function settle(id, state)
    ended[#ended + 1] = {id, state}
    if is_settling then
        return
    end
    is_settling = true
    while #ended > 0 do
        local last = table.remove(ended)
        local dependants = redis.call('SMEMBERS', key('dependants', last[1]))
        redis.call('DEL', key('dependants', last[1]))
        table.sort(dependants)
        for _, other in ipairs(dependants) do
            hear_of_end(other, last[1], last[2])
        end
    end
    is_settling = false
end

-- Carries out an event with changes (a list of fields and values) to the hash, notes for the record
-- and the error of a job that fails by it. Returns the new state, or nil and the answer that says why
-- not.
transition = function(id, event, changes, notes, failure)
    local from, wish = standing(id)
    local to, to_wish = rule(event, from, wish)
    if not to then
        if from == 'absent' then
            return nil, {'not_found'}
        end
        return nil, {'conflict', from, wish}
    end
    local now = now_ms()
    if from ~= to and leave[from] then
        leave[from](id, now)
    end
    redis.call('HSET', key('job', id), 'state', to, 'requested', to_wish, 'updated_ms', whole(now),
        unpack(changes))
    if failure and to == 'failed' then
        redis.call('HSET', key('job', id), 'error', failure)
    end
    if from ~= to then
        redis.call('ZREM', key('state', from), id)
        redis.call('ZADD', key('state', to), 0, id)
        redis.call('HSET', key('job', id), 'finished_ms', finished[to] and whole(now) or '0')
        if to == 'queued' then
            wait_in_line(id)
        elseif to == 'running' then
            redis.call('HSET', key('job', id), 'run_since_ms', whole(now))
        end
        schedule_end(id, to, now)
        count_active(id, not finished[to])
    end
    if from ~= to and finished[to] then
        stop_waiting(id)
    end
    local seq = record(id, event, to, to_wish, now, notes)
    if from ~= to and (told[to] or told[event]) then
        tell_hooks(id, told[to] or told[event], seq, now)
    end
    if from ~= to and finished[to] then
        settle(id, to)
    end
    return to
end

-- nil when this attempt is the newest one, otherwise the answer that refuses a late writer.
local function refuse_stale(id, attempt)
    local newest = redis.call('HGET', key('job', id), 'attempt')
    if newest and newest ~= attempt then
        return {'stale', newest}
    end
end

-- A user's or worker's event that only changes the state.
local function change(event, changes, notes)
    local state, refusal = transition(ARGV[1], event, changes or {}, notes)
    return refusal or {'ok', job_fields(ARGV[1])}
end

-- What an error, as the hash keeps it, says.
local function error_message(text)
    local is_json, decoded = pcall(cjson.decode, text or '')
    return is_json and type(decoded) == 'table' and decoded.message or text or ''
end

-- A running job has lost its worker: it waits again, ends as was wished, or, after max_lost times
-- without progress, fails. Returns the new state.
local function lose(id, max_lost)
    local lost = redis.call('HINCRBY', key('job', id), 'lost', 1)
    local worker = redis.call('HGET', key('job', id), 'worker') or ''
    local notes = {'worker', worker, 'message', 'the worker died, or its lease ran out'}
    if lost >= tonumber(max_lost) and rule('poison', standing(id)) then
        local message = 'lost: the worker died ' .. lost .. ' times in a row while it ran this job'
        return (transition(id, 'poison', {}, notes, error_json(id, 'internal', message, '')))
    end
    return (transition(id, 'reap', {}, notes))
end

-- Ends a job whose time is over. Returns the new state.
local function expire(id, now)
    local limits = redis.call('HMGET', key('job', id), 'deadline_ms', 'max_runtime_ms')
    local field, message = 'deadline', 'the deadline passed before the job had ended'
    if limits[1] == '0' or now < tonumber(limits[1] or '0') then
        field = 'max_runtime_s'
        message = 'the job ran for longer than ' .. whole((limits[2] or 0) / 1000) .. ' s'
    end
    return (transition(id, 'expire', {}, {'message', message},
        error_json(id, 'timeout', message, field)))
end

local function is_over(id, now)
    local ends = redis.call('ZSCORE', key('ends'), id)
    return ends and tonumber(ends) <= now
end
