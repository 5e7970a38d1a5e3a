-- Takes a lock, or keeps it when the owner has it already.
-- KEYS  lock    string  its owner
-- ARGV  owner   string
-- ARGV  ttl_ms  ms
-- returns  int: 1: the owner has it | 0: another has
local holder = redis.call('GET', lock)
if holder and holder ~= owner then return 0 end
redis.call('SET', lock, owner, 'PX', ttl_ms)
return 1
