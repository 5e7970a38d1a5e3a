-- Tells which types, or which versions of one, are known.
-- KEYS  known  zset  what is known by when it was published last, ms
-- returns  list: their names
return redis.call('ZRANGE', known, 0, -1)
