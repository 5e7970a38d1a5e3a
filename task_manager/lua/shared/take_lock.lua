-- Takes a lock, or keeps it when the owner has it already.
-- KEYS[1]  string  the lock: its owner
-- ARGV[1]  string  owner
-- ARGV[2]  ms      ttl
-- returns  1: the owner has it | 0: another has
local lock, owner, ttl_ms = KEYS[1], ARGV[1], ARGV[2]
local holder = redis.call('GET', lock)
if holder and holder ~= owner then return 0 end
redis.call('SET', lock, owner, 'PX', ttl_ms)
return 1
