-- Keeps a worker and what it runs for another lease.
-- KEYS[1]  hash    worker: RQ's fields, then held ("id:execution") and held_queue
-- ARGV[1]  ms      lease
-- ARGV[2]  string  what the key of a job begins with
-- ARGV[3]  string  what the key of a queue begins with
-- ARGV[4]  string  what the key of the running tasks of a queue begins with
-- returns  false: it is not registered | {}: it runs nothing | {held, held_queue, "started" | "canceled"}
local worker, t = KEYS[1], redis.call('TIME')
local lease_ms, job_prefix, queue_prefix, running_prefix = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('PEXPIRE', worker, lease_ms) == 0 then return false end
local held, queue = unpack(redis.call('HMGET', worker, 'held', 'held_queue'))
if not held then return {} end
local id, execution = held:match('^(.*):(.*)$')
local job = job_prefix .. id
local status, by = unpack(redis.call('HMGET', job, 'status', 'execution'))
if by ~= execution or (status ~= 'started' and status ~= 'canceled') then return {} end
if status == 'started' then
  local running = running_prefix .. queue:sub(#queue_prefix + 1)
  redis.call('ZADD', running, 'XX', (now + lease_ms) / 1000, held)
  if redis.call('PTTL', job) < 2 * lease_ms then redis.call('PEXPIRE', job, 2 * lease_ms) end
end
return { held, queue, status }
