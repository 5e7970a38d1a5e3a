-- Counts waiting and running tasks and workers of one type.
-- KEYS  waiting  zset  id by when it expires, ms
-- KEYS  running  hash  id -> running record
-- KEYS  owners   zset  owner by the end of its lease, ms
-- KEYS  paused   string  there while it is paused
-- returns  list: waiting, running, workers, whether it is paused
-- include clock
return {
  redis.call('ZCOUNT', waiting, now_ms + 1, '+inf'),
  redis.call('HLEN', running),
  redis.call('ZCOUNT', owners, '(' .. now_ms, '+inf'),
  redis.call('EXISTS', paused),
}
