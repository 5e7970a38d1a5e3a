-- Keeps all claims of some owners of one type for another lease. Of the running tasks it looks at a
-- few, and drops those that have expired and whose owner is not known: nobody would end them.
-- KEYS  running    hash    id -> running record
-- KEYS  owners     zset    owner by the end of its lease, ms
-- KEYS  cancelled  hash    id -> owner whose process is to be stopped
-- KEYS  paused     string  there while the type is paused
-- KEYS  ended_done       list  as in parts/ended
-- KEYS  ended_failed     list
-- KEYS  ended_cancelled  list
-- KEYS  claims[]   hash    of each owner: id -> input
-- ARGV  lease_ms   ms
-- ARGV  keep_ms    ms      how long records of running tasks are kept without a renewal
-- ARGV  renewed[]  string  the owners
-- returns  list: {owners that were not registered}, {other owners whose lease is over},
--          {id, owner, ... of cancelled tasks of these owners; told once}
-- include clock
-- include running_record
-- include store
-- include ended
local MOST_DEAD = 16 -- told at once
local MOST_SAMPLED = 16
local PAUSED_MS = 30 * 24 * 3600 * 1000
local new = {}
local mine = {}
for i, owner in ipairs(renewed) do
  mine[owner] = true
  if redis.call('ZADD', owners, now_ms + lease_ms, owner) == 1 then new[#new + 1] = owner end
  redis.call('PEXPIRE', claims[i], keep_ms)
end
redis.call('PEXPIRE', owners, keep_ms)
redis.call('PEXPIRE', running, keep_ms)
redis.call('PEXPIRE', paused, PAUSED_MS)
for _, key in ipairs({ ended_done, ended_failed, ended_cancelled }) do redis.call('PEXPIRE', key, ENDED_MS) end
drop_expired()

local sample = redis.call('HRANDFIELD', running, MOST_SAMPLED, 'WITHVALUES') or {}
for i = 1, #sample, 2 do
  local task = read_running(sample[i + 1])
  local is_kept = task and (tonumber(task.kept_until_ms) > now_ms or redis.call('ZSCORE', owners, task.owner))
  if not is_kept then redis.call('HDEL', running, sample[i]) end
end

local told = {}
local entries = redis.call('HGETALL', cancelled)
for i = 1, #entries, 2 do
  local id = entries[i]
  local owner = entries[i + 1]
  if mine[owner] then
    told[#told + 1] = id
    told[#told + 1] = owner
    redis.call('HDEL', cancelled, id)
  end
end
return { new, redis.call('ZRANGEBYSCORE', owners, '-inf', now_ms, 'LIMIT', 0, MOST_DEAD), told }
