-- Counts waiting and running tasks and workers of each type.
-- KEYS  running[]  hash  id -> running record
-- KEYS  owners[]   zset  owner by the end of its lease, ms
-- KEYS  counts[]   hash  counts of waiting tasks, as in random/counted
-- KEYS  tally[]    hash  as in parts/tally
-- KEYS  paused[]   string  there while it is paused
-- ARGV  main_db    int   where the script begins
-- ARGV  input_db   int
-- returns  list: per type: waiting, running, workers, whether it is paused
-- include clock
-- include counted
redis.call('SELECT', input_db)
local most = redis.call('DBSIZE') -- inputs that were lost are counted until their time is over
redis.call('SELECT', main_db)
local reply = {}
for i = 1, #counts do
  reply[4 * i - 3] = math.min(counted(counts[i], tally[i]), most)
  reply[4 * i - 2] = redis.call('HLEN', running[i])
  reply[4 * i - 1] = redis.call('ZCOUNT', owners[i], '(' .. now_ms, '+inf')
  reply[4 * i] = redis.call('EXISTS', paused[i])
end
return reply
