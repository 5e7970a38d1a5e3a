-- Keeps the RQ jobs of waiting tasks of one type, and tells which of these tasks have none.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  zset    owners: owner by the end of its lease, ms
-- KEYS[3]  list    RQ's queue: ids of jobs, the next one first
-- KEYS[4]  list    RQ's intermediate queue: ids that a worker of one queue has just taken
-- ARGV[1]  s       how long the jobs are kept from now on
-- ARGV[2]  string  what the keys of RQ's jobs begin with, before the id
-- ARGV[3]  0 or 1  ended: whoever ran these jobs has ended, whatever they say
-- ARGV[4+] string  the ids
-- returns  {ids of waiting tasks without a job}, {owners whose lease is over}
local waiting, owners, queue, taken = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local keep_s, job_prefix, ended, t = ARGV[1], ARGV[2], ARGV[3] == '1', redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- When the job was enqueued that is next. Those that have expired leave the queue on the way.
local function oldest()
  for _ = 1, 500 do
    local id = redis.call('LINDEX', queue, 0)
    local enqueued = id and redis.call('HGET', job_prefix .. id, 'enqueued_at')
    if not id or enqueued then return enqueued end
    redis.call('LPOP', queue)
  end
  return '' -- there are more of them: whatever is said to be queued is believed to be
end

local missing, first = {}, oldest()
for i = 4, #ARGV do
  local id = ARGV[i]
  local status, enqueued = unpack(redis.call('HMGET', job_prefix .. id, 'status', 'enqueued_at'))
  if redis.call('ZSCORE', waiting, id) then
    local there = status == 'queued' or status == 'started' and not ended -- a worker is about to begin it
    if status == 'queued' and not (first and enqueued and enqueued >= first) then
      -- It came before the next one, so it should have left the queue; clocks may differ, though.
      there = redis.call('LPOS', queue, id) or redis.call('LPOS', taken, id)
    end
    if status == 'queued' and there then redis.call('EXPIRE', job_prefix .. id, keep_s) end
    if not there then missing[#missing + 1] = id end
  elseif status == 'started' and ended then
    redis.call('DEL', job_prefix .. id)
  end
end
if redis.call('TTL', queue) < tonumber(keep_s) then redis.call('EXPIRE', queue, keep_s) end
return { missing, redis.call('ZRANGEBYSCORE', owners, '-inf', now, 'LIMIT', 0, 16) }
