-- Counts waiting and running tasks and workers of each type.
-- KEYS[1+] per type: wanted (hash: counts of waiting tasks, as in parts/counted), running (hash),
--          owners (zset)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- returns  per type: waiting, running, workers
-- include parts/counted
local reply, t = {}, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('SELECT', ARGV[2])
local most = redis.call('DBSIZE') -- inputs that were lost are counted until their time is over
redis.call('SELECT', ARGV[1])
for i = 1, #KEYS, 3 do
  reply[i] = math.min(counted(KEYS[i], math.floor(now / 1000)), most)
  reply[i + 1] = redis.call('HLEN', KEYS[i + 1])
  reply[i + 2] = redis.call('ZCOUNT', KEYS[i + 2], '(' .. now, '+inf')
end
return reply
