-- Makes tasks of one type wanted, and tells how each is.
-- KEYS[1]  hash    wanted: counts of waiting tasks, as in parts/counted
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  list    wake: a token for each worker to wake
-- KEYS[5]  zset    owners: owner by the end of its lease, ms
-- KEYS[6+] string  the n results, then the n waiting inputs (these in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  task type and version
-- ARGV[4]  ms      input ttl
-- ARGV[5]  count   max load
-- ARGV[6]  0 or 1  discard: drop done and failed results first
-- ARGV[7]  string  channel of finished tasks
-- ARGV[8]  string  what the keys of claims begin with, before the owner
-- ARGV[9+] string  the n ids, then the n inputs (canonical JSON)
-- returns  the load, then per task: its result record | "unreadable" | "running " + value [+ "\n" + progress]
--          | "waiting" | "overloaded"
-- include parts/counted
-- include parts/result_in
local wanted, running, progress, wake, owners = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local main_db, input_db, task_type, ttl_ms, max_load = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local discard, channel, claims_prefix = ARGV[6], ARGV[7], ARGV[8]
local n, t = (#KEYS - 5) / 2, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Whole seconds, so that interest can be counted; inputs go 1 ms before, as Redis keeps a key through its last one.
local second = math.ceil((now + ttl_ms) / 1000)

-- The running task `id`, wanted for longer; nil where nobody would ever end it, since its owner is
-- gone or no longer knows of it.
local function still_running(id)
  local held = redis.call('HGET', running, id)
  if not held then return nil end
  local owner, before, rest = held:match('^(%S+) (%d+) (%d+ %d+ %d+)$')
  if not owner or not redis.call('ZSCORE', owners, owner) or redis.call('HEXISTS', claims_prefix .. owner, id) == 0 then
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    return nil
  end
  held = owner .. ' ' .. math.max(before, second * 1000) .. ' ' .. rest
  redis.call('HSET', running, id, held)
  local done = redis.call('HGET', progress, id)
  return 'running ' .. held .. (done and '\n' .. done or '')
end

local reply, moved, created = {}, {}, 0
for i = 1, n do
  local id, record = ARGV[8 + i], result_in(KEYS[5 + i])
  if record and (discard == '1' or record:sub(1, 9) == 'cancelled') then
    redis.call('DEL', KEYS[5 + i])
    redis.call('PUBLISH', channel, id)
    record = false
  end
  reply[i + 1] = record or still_running(id) or false
end

local runs, total, epoch = redis.call('HLEN', running), counted(wanted, math.floor(now / 1000))
redis.call('SELECT', input_db)
local most = redis.call('DBSIZE')
local anew = most == 0 or not epoch -- all that was counted is lost, or the count is
if anew then epoch = ('%d%06d'):format(t[1], t[2]) end
local head = '0 ' .. now .. ' ' .. epoch .. ' ' .. task_type .. '\n'
local load = runs + (anew and 0 or math.min(total, most))
for i = 1, n do
  if not reply[i + 1] then
    local input_key = KEYS[5 + n + i]
    local left, ends = redis.call('PTTL', input_key), second
    local at, since = (left > 0 and redis.call('GETRANGE', input_key, 0, 63) or ''):match('^%d+ %d+ ()(%d+) ')
    if since and #since == #epoch then
      local before = math.floor((now + left) / 1000 + 0.5)
      ends = math.max(before, second) -- another server may keep it for longer
      if ends > before then redis.call('PEXPIREAT', input_key, ends * 1000 - 1) end
      if since == epoch then
        moved[before] = (moved[before] or 0) - 1
      else -- not counted since the count was lost
        redis.call('SETRANGE', input_key, at - 1, epoch)
        load = load + 1
      end
      moved[ends], reply[i + 1] = (moved[ends] or 0) + 1, 'waiting'
    elseif load >= max_load then
      reply[i + 1] = 'overloaded'
    else
      redis.call('SET', input_key, head .. ARGV[8 + n + i], 'PXAT', ends * 1000 - 1)
      moved[ends], created, load, reply[i + 1] = (moved[ends] or 0) + 1, created + 1, load + 1, 'waiting'
    end
  end
end
redis.call('SELECT', main_db)

if anew then redis.call('DEL', wanted) end
if anew and next(moved) then redis.call('HSET', wanted, 'epoch', epoch, 'total', 0, 'swept', math.floor(now / 1000)) end
for at, by in pairs(moved) do
  if by ~= 0 then
    redis.call('HINCRBY', wanted, at, by)
    redis.call('HINCRBY', wanted, 'total', by)
  end
end
for _ = 1, math.min(created, 16 - redis.call('LLEN', wake)) do redis.call('RPUSH', wake, 1) end
for _, key in ipairs({ wanted, wake }) do -- others may want theirs for longer
  if redis.call('PTTL', key) < second * 1000 - now then redis.call('PEXPIREAT', key, second * 1000) end
end
reply[1] = load
return reply
