-- Makes tasks of one type wanted, and tells how each is.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[3]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[4]  hash    progress: id -> "fraction message"
-- KEYS[5]  list    wake: a token for each worker to wake
-- KEYS[6]  zset    turns: id by arrival, µs
-- KEYS[7+] string  the n results
-- ARGV[1]  ms      input ttl
-- ARGV[2]  count   max load
-- ARGV[3]  0 or 1  discard: drop done and failed results first
-- ARGV[4]  string  channel of finished tasks
-- ARGV[5]  0 or 1  by turn: tasks are claimed by arrival, so each has its place in turns
-- ARGV[6+] string  the n ids, then the n inputs (canonical JSON)
-- returns  the load, then per task: its result record | "running " + value [+ "\n" + progress]
--          | "waiting" | "overloaded"
local waiting, inputs, running, progress, wake, turns = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ttl_ms, max_load, discard, channel = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local by_turn = ARGV[5] == '1'
local n, t = #KEYS - 6, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local wanted_until = now + ttl_ms
local expired = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, 500)
if #expired > 0 then
  redis.call('ZREM', waiting, unpack(expired))
  redis.call('HDEL', inputs, unpack(expired))
  redis.call('ZREM', turns, unpack(expired))
end

local load = redis.call('HLEN', running) + redis.call('ZCOUNT', waiting, now + 1, '+inf')
local reply, created = {}, 0
local last = by_turn and redis.call('ZREVRANGE', turns, 0, 0, 'WITHSCORES')[2] or 0
local turn = math.max(t[1] * 1000000 + t[2], last) -- after all that wait, even where the clock was set back
for i = 1, n do
  local id, record = ARGV[5 + i], redis.call('GET', KEYS[6 + i])
  if record and (discard == '1' or record:sub(1, 9) == 'cancelled') then
    redis.call('DEL', KEYS[6 + i])
    redis.call('PUBLISH', channel, id)
    record = false
  end
  local held = not record and redis.call('HGET', running, id)
  if held then
    local owner, rest = held:match('^(%S+) %d+ (.*)$')
    held = owner .. ' ' .. wanted_until .. ' ' .. rest
    redis.call('HSET', running, id, held)
    local done = redis.call('HGET', progress, id)
    record = 'running ' .. held .. (done and '\n' .. done or '')
  elseif not record then
    local score = redis.call('ZSCORE', waiting, id)
    if score and tonumber(score) > now then
      redis.call('ZADD', waiting, wanted_until, id)
      if by_turn then redis.call('ZADD', turns, 'NX', turn + i, id) end -- in case its place was lost
      record = 'waiting'
    elseif load >= max_load then
      record = 'overloaded'
    else
      redis.call('ZADD', waiting, wanted_until, id)
      redis.call('HSET', inputs, id, '0 ' .. now .. '\n' .. ARGV[5 + n + i])
      if by_turn then redis.call('ZADD', turns, turn + i, id) end
      load, created, record = load + 1, created + 1, 'waiting'
    end
  end
  reply[i + 1] = record
end
redis.call('PEXPIRE', waiting, ttl_ms)
redis.call('PEXPIRE', inputs, ttl_ms)
redis.call('PEXPIRE', turns, ttl_ms)
for _ = 1, math.min(created, 16 - redis.call('LLEN', wake)) do redis.call('RPUSH', wake, 1) end
if created > 0 then redis.call('PEXPIRE', wake, ttl_ms) end
reply[1] = load
return reply
