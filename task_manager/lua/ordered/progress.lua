-- Shows how far a running job is.
-- KEYS[1]  hash    job
-- ARGV[1]  string  execution
-- ARGV[2]  string  "fraction message"
-- returns  1: shown | 0: this execution is over
local job, execution, progress = KEYS[1], ARGV[1], ARGV[2]
local status, by = unpack(redis.call('HMGET', job, 'status', 'execution'))
if status ~= 'started' or by ~= execution then return 0 end
redis.call('HSET', job, 'progress', progress)
return 1
