-- Lets go of a lock that the owner has.
-- KEYS[1]  string  the lock: its owner
-- ARGV[1]  string  owner
-- returns  1: it is free now | 0: the owner did not have it
local lock, owner = KEYS[1], ARGV[1]
if redis.call('GET', lock) ~= owner then return 0 end
return redis.call('DEL', lock)
