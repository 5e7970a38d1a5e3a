-- Makes tasks of one type wanted, and tells how each is.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[3]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[4]  hash    progress: id -> "fraction message"
-- KEYS[5]  list    wake: a token for each worker to wake
-- KEYS[6]  zset    turns: id by arrival, µs
-- KEYS[7]  zset    owners: owner by the end of its lease, ms
-- KEYS[8+] string  the n results
-- ARGV[1]  ms      input ttl
-- ARGV[2]  count   max load
-- ARGV[3]  0 or 1  discard: drop done and failed results first
-- ARGV[4]  string  channel of finished tasks
-- ARGV[5]  0 or 1  by turn: tasks are claimed by arrival, so each has its place in turns
-- ARGV[6]  string  what the keys of claims begin with, before the owner
-- ARGV[7+] string  the n ids, then the n inputs (canonical JSON)
-- returns  the load, then per task: its result record | "unreadable" | "running " + value [+ "\n" + progress]
--          | "waiting" | "overloaded"
-- include parts/result_in
local waiting, inputs, running, progress, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local turns, owners, channel, claims_prefix = KEYS[6], KEYS[7], ARGV[4], ARGV[6]
local ttl_ms, max_load, discard, by_turn = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[5] == '1'
local n, t = #KEYS - 7, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local wanted_until = now + ttl_ms
local expired = redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, 500)
if #expired > 0 then
  redis.call('ZREM', waiting, unpack(expired))
  redis.call('HDEL', inputs, unpack(expired))
  redis.call('ZREM', turns, unpack(expired))
end
if redis.call('EXISTS', waiting) == 0 then redis.call('UNLINK', inputs, turns) end -- what was left of lost tasks

-- The running task `id`, wanted for longer; nil where nobody would ever end it, since its owner is
-- gone or no longer knows of it.
local function still_running(id)
  local held = redis.call('HGET', running, id)
  if not held then return nil end
  local owner, before, rest = held:match('^(%S+) (%d+) (%d+ %d+ %d+.*)$')
  if not owner or not redis.call('ZSCORE', owners, owner) or redis.call('HEXISTS', claims_prefix .. owner, id) == 0 then
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    return nil
  end
  held = owner .. ' ' .. math.max(before, wanted_until) .. ' ' .. rest
  redis.call('HSET', running, id, held)
  local done = redis.call('HGET', progress, id)
  return 'running ' .. held .. (done and '\n' .. done or '')
end

local reply, created = {}, 0
for i = 1, n do
  local id, record = ARGV[6 + i], result_in(KEYS[7 + i])
  if record and (discard == '1' or record:sub(1, 9) == 'cancelled') then
    redis.call('DEL', KEYS[7 + i])
    redis.call('PUBLISH', channel, id)
    record = false
  end
  reply[i + 1] = record or still_running(id) or false
end

local load = redis.call('HLEN', running) + redis.call('ZCOUNT', waiting, now + 1, '+inf')
local last = by_turn and redis.call('ZREVRANGE', turns, 0, 0, 'WITHSCORES')[2] or 0
local turn = math.max(t[1] * 1000000 + t[2], last) -- after all that wait, even where the clock was set back
for i = 1, n do
  if not reply[i + 1] then
    local id = ARGV[6 + i]
    local counted = tonumber(redis.call('ZSCORE', waiting, id) or 0) > now
    local there = counted and redis.call('HEXISTS', inputs, id) == 1
    if not counted and load >= max_load then
      reply[i + 1] = 'overloaded'
    else
      redis.call('ZADD', waiting, 'GT', wanted_until, id)
      if not there then redis.call('HSET', inputs, id, '0 ' .. now .. '\n' .. ARGV[6 + n + i]) end
      if by_turn and not counted then redis.call('ZADD', turns, turn + i, id) end
      if by_turn and counted then redis.call('ZADD', turns, 'NX', turn + i, id) end -- in case its place was lost
      created, load = created + (there and 0 or 1), load + (counted and 0 or 1)
      reply[i + 1] = 'waiting'
    end
  end
end
for _ = 1, math.min(created, 16 - redis.call('LLEN', wake)) do redis.call('RPUSH', wake, 1) end
for _, key in ipairs({ waiting, inputs, turns, wake }) do -- others may want theirs for longer
  if redis.call('PTTL', key) < ttl_ms then redis.call('PEXPIRE', key, ttl_ms) end
end
reply[1] = load
return reply
