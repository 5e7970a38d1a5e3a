-- Ends an execution whose worker died: its job waits again, first, or fails, or is dropped.
-- KEYS[1]  hash    job
-- KEYS[2]  stream  results of the job
-- KEYS[3]  list    queue
-- KEYS[4]  zset    waiting: every id in the queue by the end of its interest, ms
-- KEYS[5]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[6]  zset    jobs that RQ's tools list as failed, by when they are forgotten, s
-- KEYS[7]  list    wake: a token for each worker to wake
-- ARGV[1]  string  id
-- ARGV[2]  string  execution
-- ARGV[3]  0 or 1  its worker is known to be dead (else: only if its lease is over)
-- ARGV[4]  0 or 1  this attempt counts
-- ARGV[5]  count   max attempts
-- ARGV[6]  string  result if it fails (JSON in base64, as RQ keeps it)
-- ARGV[7]  ms      how long a failure is kept
-- ARGV[8]  string  channel of finished tasks
-- returns  "left": it runs on, or has ended already | "waiting" | "failed" | "dropped"
local job, results, queue, waiting, running = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local failed, wake, id, execution, known_dead = KEYS[6], KEYS[7], ARGV[1], ARGV[2], ARGV[3] == '1'
local counts, max_attempts, result = ARGV[4] == '1', tonumber(ARGV[5]), ARGV[6]
local ttl_ms, channel, t = ARGV[7], ARGV[8], redis.call('TIME')
local now, held = t[1] * 1000 + math.floor(t[2] / 1000), id .. ':' .. execution
local lease_end = redis.call('ZSCORE', running, held)
if not lease_end or (not known_dead and lease_end * 1000 > now) then return 'left' end
redis.call('ZREM', running, held)
local told = redis.call('HMGET', job, 'status', 'execution', 'attempts', 'wanted_until_ms')
if told[1] ~= 'started' or told[2] ~= execution then return 'left' end
local attempts, wanted_until = tonumber(told[3]), tonumber(told[4])
if counts and attempts >= max_attempts then
  redis.call('XADD', results, '*', 'type', 2, 'worker_name', '', 'return_value', result, 'execution_id', execution)
  redis.call('HSET', job, 'status', 'failed', 'finished_ms', now)
  redis.call('HDEL', job, 'progress')
  redis.call('PEXPIRE', job, ttl_ms)
  redis.call('PEXPIRE', results, ttl_ms)
  redis.call('ZADD', failed, (now + ttl_ms) / 1000, id)
  redis.call('PEXPIRE', failed, math.max(redis.call('PTTL', failed), ttl_ms))
  redis.call('PUBLISH', channel, id)
  return 'failed'
end
if wanted_until <= now then
  redis.call('DEL', job)
  return 'dropped'
end
redis.call('HSET', job, 'status', 'queued')
redis.call('HDEL', job, 'progress')
redis.call('HINCRBY', job, counts and 'retries_left' or 'attempts', -1)
redis.call('PEXPIREAT', job, wanted_until)
redis.call('LPUSH', queue, id)
redis.call('ZADD', waiting, wanted_until, id)
if redis.call('LLEN', wake) < 16 then redis.call('RPUSH', wake, 1) end
for _, key in ipairs({ queue, waiting, wake }) do
  if redis.call('PTTL', key) < wanted_until - now then redis.call('PEXPIREAT', key, wanted_until) end
end
return 'waiting'
