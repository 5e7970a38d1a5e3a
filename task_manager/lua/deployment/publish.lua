-- Makes something known to all that is served, or worked for: a type, or a version of one.
-- KEYS  known  zset    what is known by when it was published last, ms
-- ARGV  entry  string
-- returns  int: 1
-- include clock
local KNOWN_MS = 24 * 3600 * 1000 -- for so long without news
redis.call('ZADD', known, now_ms, entry)
redis.call('ZREMRANGEBYSCORE', known, '-inf', now_ms - KNOWN_MS)
redis.call('PEXPIRE', known, KNOWN_MS)
return 1
