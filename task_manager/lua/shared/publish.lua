-- Makes a version of a type known to all: it is served, or worked for.
-- KEYS  versions  zset    version by when it was published last, ms
-- ARGV  version   string
-- returns  int: 1
-- include clock
local KNOWN_MS = 24 * 3600 * 1000 -- for so long without news
redis.call('ZADD', versions, now_ms, version)
redis.call('ZREMRANGEBYSCORE', versions, '-inf', now_ms - KNOWN_MS)
redis.call('PEXPIRE', versions, KNOWN_MS)
return 1
