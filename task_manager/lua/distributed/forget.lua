-- Waiting tasks of one type whose answer came late after all stop waiting.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[3]  zset    turns: id by arrival, µs
-- ARGV[1+] string  ids
-- returns  how many were waiting
local waiting, inputs, turns = KEYS[1], KEYS[2], KEYS[3]
redis.call('HDEL', inputs, unpack(ARGV))
redis.call('ZREM', turns, unpack(ARGV))
return redis.call('ZREM', waiting, unpack(ARGV))
