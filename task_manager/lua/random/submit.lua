-- Makes tasks of one type wanted, and tells how each is.
-- KEYS[1]  hash    wanted: second in which interest ends -> waiting tasks of the type
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  list    wake: a token for each worker to wake
-- KEYS[5+] string  the n results, then the n waiting inputs (these in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  task type
-- ARGV[4]  ms      input ttl
-- ARGV[5]  count   max load
-- ARGV[6]  0 or 1  discard: drop done and failed results first
-- ARGV[7]  string  channel of finished tasks
-- ARGV[8+] string  the n ids, then the n inputs (canonical JSON)
-- returns  the load, then per task: its result record | "running " + value [+ "\n" + progress]
--          | "waiting" | "overloaded"
local wanted, running, progress, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local main_db, input_db, task_type = ARGV[1], ARGV[2], ARGV[3]
local ttl_ms, max_load, discard, channel = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local n, t = (#KEYS - 4) / 2, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local second = math.ceil((now + ttl_ms) / 1000) -- whole seconds, so that interest can be counted

local load = redis.call('HLEN', running)
local counts = redis.call('HGETALL', wanted)
for i = 1, #counts, 2 do
  if counts[i] * 1000 > now then load = load + counts[i + 1] else redis.call('HDEL', wanted, counts[i]) end
end

local reply, moved, created = { load }, {}, 0
for i = 1, n do
  local id, record = ARGV[7 + i], redis.call('GET', KEYS[4 + i])
  if record and (discard == '1' or record:sub(1, 9) == 'cancelled') then
    redis.call('DEL', KEYS[4 + i])
    redis.call('PUBLISH', channel, id)
    record = false
  end
  local held = not record and redis.call('HGET', running, id)
  if held then
    local owner, rest = held:match('^(%S+) %d+ (.*)$')
    held = owner .. ' ' .. second * 1000 .. ' ' .. rest
    redis.call('HSET', running, id, held)
    local done = redis.call('HGET', progress, id)
    record = 'running ' .. held .. (done and '\n' .. done or '')
  end
  reply[i + 1] = record
end

redis.call('SELECT', input_db)
for i = 1, n do
  if not reply[i + 1] then
    local input_key = KEYS[4 + n + i]
    local left = redis.call('PTTL', input_key)
    if left > 0 then
      local before = math.floor((now + left) / 1000 + 0.5)
      if before ~= second then
        redis.call('PEXPIREAT', input_key, second * 1000)
        moved[before] = (moved[before] or 0) - 1
        moved[second] = (moved[second] or 0) + 1
      end
      reply[i + 1] = 'waiting'
    elseif load >= max_load then
      reply[i + 1] = 'overloaded'
    else
      redis.call('SET', input_key, '0 ' .. now .. ' ' .. task_type .. '\n' .. ARGV[7 + n + i], 'PXAT', second * 1000)
      moved[second] = (moved[second] or 0) + 1
      load, created, reply[i + 1] = load + 1, created + 1, 'waiting'
    end
  end
end
redis.call('SELECT', main_db)

for at, by in pairs(moved) do redis.call('HINCRBY', wanted, at, by) end
if next(moved) then redis.call('PEXPIREAT', wanted, second * 1000) end
for _ = 1, math.min(created, 16 - redis.call('LLEN', wake)) do redis.call('RPUSH', wake, 1) end
if created > 0 then redis.call('PEXPIRE', wake, ttl_ms) end
reply[1] = load
return reply
