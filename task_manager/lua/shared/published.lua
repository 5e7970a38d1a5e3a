-- Tells which versions of a type are known.
-- KEYS  versions  zset  version by when it was published last, ms
-- returns  list: the versions
return redis.call('ZRANGE', versions, 0, -1)
