-- Cancels a waiting or running task.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    progress: id -> "fraction message"
-- KEYS[3]  hash    cancelled: id -> owner whose process is to be stopped
-- KEYS[4]  zset    waiting: id by the end of its interest, ms
-- KEYS[5]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[6]  zset    turns: id by arrival, µs
-- KEYS[7]  string  result
-- ARGV[1]  string  id
-- ARGV[2]  ms      how long the task is known as cancelled
-- ARGV[3]  string  channel of finished tasks
-- returns  false: unknown | "terminal" | the record that now says cancelled
local running, progress, cancelled = KEYS[1], KEYS[2], KEYS[3]
local waiting, inputs, turns, result_key = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local id, ttl_ms, channel = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', result_key) == 1 then return 'terminal' end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local owner, submitted, started, attempts
local held = redis.call('HGET', running, id)
if held then
  owner, submitted, started, attempts = held:match('^(%S+) %d+ (%d+) (%d+) (%d+)')
  redis.call('HDEL', running, id)
  redis.call('HDEL', progress, id)
  if owner then redis.call('HSET', cancelled, id, owner) end
  redis.call('PEXPIRE', cancelled, 60000)
else
  local score, text = redis.call('ZSCORE', waiting, id), redis.call('HGET', inputs, id)
  redis.call('ZREM', waiting, id)
  redis.call('HDEL', inputs, id)
  redis.call('ZREM', turns, id)
  if not score or not text or tonumber(score) <= now then return false end
  attempts, submitted = text:match('^(%d+) (%d+)\n')
end
local times = (submitted or 0) .. ' ' .. (started or 0) .. ' ' .. now .. ' ' .. (attempts or 0) .. ' ' .. now + ttl_ms
local record = 'cancelled ' .. times .. '\n'
redis.call('SET', result_key, record, 'PX', ttl_ms)
redis.call('PUBLISH', channel, id)
return record
