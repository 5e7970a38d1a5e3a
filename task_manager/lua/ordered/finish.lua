-- Stores the result of a job and ends its execution; the first result of a job wins.
-- KEYS[1]  hash    job
-- KEYS[2]  stream  results of the job, the first one counts
-- KEYS[3]  zset    waiting: ids by the end of their interest, ms; 0: passed over in the queue
-- KEYS[4]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[5]  zset    jobs that RQ's tools list as finished (failed), by when they are forgotten, s
-- ARGV[1]  string  id
-- ARGV[2]  string  execution
-- ARGV[3]  0 or 1  done (else failed): whether a result is kept that comes after its claim was lost
-- ARGV[4]  string  RQ's status: "finished" | "failed"
-- ARGV[5]  string  result (JSON in base64, as RQ keeps it)
-- ARGV[6]  ms      how long it is kept
-- ARGV[7]  string  channel of finished tasks
-- ARGV[8]  string  worker's name
-- ARGV[9]  string  when it ended, as RQ writes times
-- returns  1: stored | 0: too late
local job, results, waiting, running, listed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, execution, done, status_now, result = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ttl_ms, channel, worker, ended_at, t = ARGV[6], ARGV[7], ARGV[8], ARGV[9], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local mine = redis.call('ZREM', running, id .. ':' .. execution) == 1
local status = redis.call('HGET', job, 'status')
if status ~= 'queued' and status ~= 'started' then return 0 end
if not mine and done == '0' then return 0 end
local kind = status_now == 'finished' and 1 or 2
redis.call('DEL', results)
redis.call('XADD', results, '*', 'type', kind, 'worker_name', worker, 'return_value', result, 'execution_id', execution)
redis.call('HSET', job, 'status', status_now, 'finished_ms', now, 'ended_at', ended_at)
redis.call('HDEL', job, 'progress')
redis.call('PEXPIRE', job, ttl_ms)
redis.call('PEXPIRE', results, ttl_ms)
if redis.call('ZSCORE', waiting, id) then redis.call('ZADD', waiting, 0, id) end
redis.call('ZREMRANGEBYSCORE', listed, '-inf', now / 1000)
redis.call('ZADD', listed, (now + ttl_ms) / 1000, id)
redis.call('PEXPIRE', listed, math.max(redis.call('PTTL', listed), ttl_ms))
redis.call('PUBLISH', channel, id)
return 1
