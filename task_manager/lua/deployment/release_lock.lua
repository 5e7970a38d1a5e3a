-- Lets go of a lock that the owner has.
-- KEYS  lock   string  its owner
-- ARGV  owner  string
-- returns  int: 1: it is free now | 0: the owner did not have it
if redis.call('GET', lock) ~= owner then return 0 end
return redis.call('DEL', lock)
