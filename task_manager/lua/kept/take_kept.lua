-- Takes entries of kept tasks that are due, or of which there is news, for a while.
-- KEYS  kept          zset    entry by when it is to be looked at next, ms
-- ARGV  entry_prefix  string  what the keys of entries begin with, before the entry
-- ARGV  limit         count   most that are taken
-- ARGV  most_bytes    count   after which no more are taken
-- ARGV  lease_ms      ms      for how long they are
-- ARGV  taker         string  never used before
-- ARGV  heard[]       string  entries to take though they are not due, if nobody holds them
-- returns  list: how many there are, in how many ms the next is due (-1: there is none),
--          then of each: entry, record, text, state, for how many ms it is kept, told_ms
-- include clock
-- include kept_clients
local reply = { 0, -1 }
local size = 0
local taken = 0

local function take(id)
  local key = entry_prefix .. id
  local found = redis.call('HMGET', key, 'record', 'text', 'state', 'until_ms', 'told_ms', 'taken_until_ms')
  if not found[1] then
    leave(id)
    return
  end
  if found[6] and tonumber(found[6]) > now_ms then return end
  redis.call('HSET', key, 'taker', taker, 'taken_until_ms', now_ms + lease_ms, 'again', '0')
  redis.call('ZADD', kept, now_ms + lease_ms, id)
  reply[#reply + 1] = id
  reply[#reply + 1] = found[1]
  reply[#reply + 1] = found[2]
  reply[#reply + 1] = found[3] or ''
  reply[#reply + 1] = tonumber(found[4]) - now_ms
  reply[#reply + 1] = found[5] or '0'
  size = size + #found[1] + #found[2] + #(found[3] or '')
  taken = taken + 1
end

for _, id in ipairs(heard) do
  if taken < limit and size < most_bytes then take(id) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', now_ms, 'LIMIT', 0, limit)) do
  if taken < limit and size < most_bytes then take(id) end
end
reply[1] = redis.call('ZCARD', kept)
local first = redis.call('ZRANGE', kept, 0, 0)[1]
if first then reply[2] = math.max(0, redis.call('ZSCORE', kept, first) - now_ms) end
return reply
