-- Keeps the RQ jobs of waiting tasks of one type, and tells which of these tasks have none.
-- KEYS  owners      zset    owner by the end of its lease, ms
-- KEYS  waiting     zset    id by when it expires, ms
-- KEYS  rq_queue    list    RQ's queue: ids of jobs, the next one first
-- KEYS  rq_taken    list    RQ's intermediate queue: ids that a worker of one queue has just taken
-- ARGV  keep_s      count   how long the jobs are kept from now on, s
-- ARGV  job_prefix  string  what the keys of RQ's jobs begin with, before the id
-- ARGV  ended       flag    whoever ran these jobs has ended, whatever they say
-- ARGV  ids[]       string
-- returns  list: {ids of waiting tasks without a job}, {owners whose lease is over}
-- include clock
local MOST_DEAD = 16 -- told at once
local MOST_EXPIRED = 500 -- jobs that leave the queue at once

-- When the job was enqueued that is next. Those that have expired leave the queue on the way.
local function oldest()
  for _ = 1, MOST_EXPIRED do
    local id = redis.call('LINDEX', rq_queue, 0)
    local enqueued = id and redis.call('HGET', job_prefix .. id, 'enqueued_at')
    if not id or enqueued then return enqueued end
    redis.call('LPOP', rq_queue)
  end
  return '' -- there are more of them: whatever is said to be queued is believed to be
end

local missing = {}
local first = oldest()
for _, id in ipairs(ids) do
  local job = job_prefix .. id
  local status, enqueued = unpack(redis.call('HMGET', job, 'status', 'enqueued_at'))
  if redis.call('ZSCORE', waiting, id) then
    local is_there = status == 'queued' or status == 'started' and not ended -- a worker is about to begin it
    if status == 'queued' and not (first and enqueued and enqueued >= first) then
      -- It came before the next one, so it should have left the queue; clocks may differ, though.
      is_there = redis.call('LPOS', rq_queue, id) or redis.call('LPOS', rq_taken, id)
    end
    if status == 'queued' and is_there then redis.call('EXPIRE', job, keep_s) end
    if not is_there then missing[#missing + 1] = id end
  elseif status == 'started' and ended then
    redis.call('DEL', job)
  end
end
if redis.call('TTL', rq_queue) < keep_s then redis.call('EXPIRE', rq_queue, keep_s) end
return { missing, redis.call('ZRANGEBYSCORE', owners, '-inf', now_ms, 'LIMIT', 0, MOST_DEAD) }
