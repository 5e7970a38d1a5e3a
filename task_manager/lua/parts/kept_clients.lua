-- Whose entries of kept tasks there are.
-- KEYS  kept          zset  as in keep
-- KEYS  kept_clients  hash  entry → client whose it is
-- KEYS  kept_counts   hash  client → how many entries are its own

-- An entry is over.
local function leave(id)
  redis.call('ZREM', kept, id)
  local client = redis.call('HGET', kept_clients, id)
  if not client then return end
  redis.call('HDEL', kept_clients, id)
  if redis.call('HINCRBY', kept_counts, client, -1) <= 0 then redis.call('HDEL', kept_counts, client) end
end
