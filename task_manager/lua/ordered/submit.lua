-- Makes one task wanted: refreshes its job, or puts a new one at the end of the queue.
-- KEYS[1]  hash    job: RQ's fields, then our own (wanted_until_ms, submitted_ms, attempts, ...)
-- KEYS[2]  stream  results of the job, the first one counts
-- KEYS[3]  list    queue: ids; some may be of jobs that expired or were cancelled
-- KEYS[4]  zset    waiting: every id in the queue by the end of its interest, ms; 0: cancelled
-- KEYS[5]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[6]  set     all queues, as RQ's tools list them
-- KEYS[7]  list    wake: a token for each worker to wake
-- ARGV[1]  string  id
-- ARGV[2]  ms      input ttl
-- ARGV[3]  count   max load
-- ARGV[4]  0 or 1  discard: drop a done or failed result first
-- ARGV[5]  string  channel of finished tasks
-- ARGV[6]  string  what the key of a job begins with
-- ARGV[7+] field, value of a new job
-- returns  {1: it is wanted | 0: overloaded, load}
local job, results, queue, waiting = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local running, queues, wake = KEYS[5], KEYS[6], KEYS[7]
local id, ttl_ms, max_load, discard = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local channel, job_prefix, t = ARGV[5], ARGV[6], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function live_at_least(key)
  if redis.call('PTTL', key) < ttl_ms then redis.call('PEXPIRE', key, ttl_ms) end
end

local status = redis.call('HGET', job, 'status')
if status == 'finished' or status == 'failed' then
  if discard == '0' then return { 1, 0 } end
elseif status == 'queued' or status == 'started' then
  redis.call('HSET', job, 'wanted_until_ms', now + ttl_ms)
  live_at_least(job)
  if status == 'queued' then
    redis.call('ZADD', waiting, now + ttl_ms, id)
    live_at_least(waiting)
    live_at_least(queue)
  end
  return { 1, 0 }
end

local load = redis.call('ZCOUNT', waiting, now, '+inf') + redis.call('ZCARD', running)
if load >= max_load then return { 0, load } end
if redis.call('ZSCORE', waiting, id) then redis.call('LREM', queue, 0, id) end
for _ = 1, 2 do -- two dead jobs go for each new one, so that an abandoned queue cannot grow for ever
  local head = redis.call('LINDEX', queue, 0)
  if not head or redis.call('HGET', job_prefix .. head, 'status') == 'queued' then break end
  redis.call('LPOP', queue)
  redis.call('ZREM', waiting, head)
end
if status then redis.call('PUBLISH', channel, id) end -- what it said is no longer so
redis.call('DEL', job, results)
redis.call('HSET', job, 'wanted_until_ms', now + ttl_ms, 'submitted_ms', now, unpack(ARGV, 7))
redis.call('RPUSH', queue, id)
redis.call('ZADD', waiting, now + ttl_ms, id)
redis.call('SADD', queues, queue)
if redis.call('LLEN', wake) < 16 then redis.call('RPUSH', wake, 1) end
for _, key in ipairs({ job, queue, waiting, wake }) do live_at_least(key) end
return { 1, load + 1 }
