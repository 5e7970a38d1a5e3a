-- Takes the first job of a queue that is still wanted: it is running from now on.
-- KEYS[1]  list    queue: ids; some may be of jobs that expired or were cancelled
-- KEYS[2]  zset    waiting: every id in the queue
-- KEYS[3]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[4]  hash    worker
-- ARGV[1]  string  what the key of a job begins with
-- ARGV[2]  string  worker's name
-- ARGV[3]  string  execution, a new id
-- ARGV[4]  ms      lease
-- ARGV[5]  string  when it starts, as RQ writes times
-- returns  id | false: nothing waits | "": many were passed over, call again
local queue, waiting, running, worker = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local job_prefix, name, execution, lease_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local started_at, t = ARGV[5], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _ = 1, 1000 do
  local id = redis.call('LPOP', queue)
  if not id then return false end
  redis.call('ZREM', waiting, id)
  local job = job_prefix .. id
  local status, wanted_until = unpack(redis.call('HMGET', job, 'status', 'wanted_until_ms'))
  if status == 'queued' then
    if tonumber(wanted_until or 0) > now then
      redis.call('HSET', job, 'status', 'started', 'worker_name', name, 'execution', execution)
      redis.call('HSET', job, 'started_ms', now, 'started_at', started_at)
      redis.call('HINCRBY', job, 'attempts', 1)
      if redis.call('PTTL', job) < 2 * lease_ms then redis.call('PEXPIRE', job, 2 * lease_ms) end
      redis.call('ZADD', running, (now + lease_ms) / 1000, id .. ':' .. execution)
      redis.call('HSET', worker, 'held', id .. ':' .. execution, 'held_queue', queue)
      redis.call('PEXPIRE', worker, lease_ms)
      return id
    end
    redis.call('DEL', job)
  end
end
return ''
