-- Keeps all claims of some owners of one type for another lease. Of the running tasks it looks at a
-- few, and drops those that nobody wants any more and whose owner is not known: nobody would end them.
-- KEYS[1]  zset    owners: owner by the end of its lease, ms
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    cancelled: id -> owner whose process is to be stopped
-- KEYS[4+] hash    claims of each owner: id -> input
-- ARGV[1]  ms      lease
-- ARGV[2]  ms      how long records of running tasks are kept without a renewal
-- ARGV[3+] string  the owners
-- returns  {owners that were not registered}, {other owners whose lease is over},
--          {id, owner, ... of cancelled tasks of these owners; told once}
local owners, running, cancelled = KEYS[1], KEYS[2], KEYS[3]
local lease_ms, keep_ms, t = ARGV[1], ARGV[2], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local new, told, mine = {}, {}, {}
for i = 3, #ARGV do
  mine[ARGV[i]] = true
  if redis.call('ZADD', owners, now + lease_ms, ARGV[i]) == 1 then new[#new + 1] = ARGV[i] end
  redis.call('PEXPIRE', KEYS[i + 1], keep_ms)
end
redis.call('PEXPIRE', owners, keep_ms)
redis.call('PEXPIRE', running, keep_ms)
local sample = redis.call('HRANDFIELD', running, 16, 'WITHVALUES') or {}
for i = 1, #sample, 2 do
  local owner, wanted_until = sample[i + 1]:match('^(%S+) (%d+) ')
  if tonumber(wanted_until or 0) <= now and not (owner and redis.call('ZSCORE', owners, owner)) then
    redis.call('HDEL', running, sample[i])
  end
end
local entries = redis.call('HGETALL', cancelled)
for i = 1, #entries, 2 do
  if mine[entries[i + 1]] then
    told[#told + 1], told[#told + 2] = entries[i], entries[i + 1]
    redis.call('HDEL', cancelled, entries[i])
  end
end
return { new, redis.call('ZRANGEBYSCORE', owners, '-inf', now, 'LIMIT', 0, 16), told }
