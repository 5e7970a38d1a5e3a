-- Counts waiting and running tasks and workers of one type.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  zset    owners: owner by the end of its lease, ms
-- returns  waiting, running, workers
local waiting, running, owners, t = KEYS[1], KEYS[2], KEYS[3], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return {
  redis.call('ZCOUNT', waiting, now + 1, '+inf'),
  redis.call('HLEN', running),
  redis.call('ZCOUNT', owners, '(' .. now, '+inf'),
}
