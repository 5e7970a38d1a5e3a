-- Cancels a waiting or running task; its id stays in the queue and is passed over there.
-- KEYS[1]  hash    job
-- KEYS[2]  zset    waiting: ids by the end of their interest, ms; 0: cancelled
-- KEYS[3]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[4]  zset    jobs that RQ's tools list as cancelled, by when they are forgotten, s
-- ARGV[1]  string  id
-- ARGV[2]  ms      how long the task is known as cancelled
-- ARGV[3]  string  channel of finished tasks
-- returns  "unknown" | "terminal" | "cancelled"
local job, waiting, running, cancelled = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, ttl_ms, channel, t = ARGV[1], ARGV[2], ARGV[3], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local status, execution = unpack(redis.call('HMGET', job, 'status', 'execution'))
if not status then return 'unknown' end
if status ~= 'queued' and status ~= 'started' then return 'terminal' end
if execution then redis.call('ZREM', running, id .. ':' .. execution) end
if redis.call('ZSCORE', waiting, id) then redis.call('ZADD', waiting, 0, id) end
redis.call('HSET', job, 'status', 'canceled', 'finished_ms', now)
redis.call('PEXPIRE', job, ttl_ms)
redis.call('ZREMRANGEBYSCORE', cancelled, '-inf', now / 1000)
redis.call('ZADD', cancelled, (now + ttl_ms) / 1000, id)
redis.call('PEXPIRE', cancelled, ttl_ms)
redis.call('PUBLISH', channel, id)
return 'cancelled'
