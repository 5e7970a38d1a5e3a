-- Waiting tasks of one type whose answer came late after all stop waiting.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- ARGV[1+] string  ids
-- returns  how many were waiting
local waiting, inputs = KEYS[1], KEYS[2]
redis.call('HDEL', inputs, unpack(ARGV))
return redis.call('ZREM', waiting, unpack(ARGV))
