-- Counts waiting and running tasks and workers of each type.
-- KEYS[1+] per type: wanted (hash), running (hash), owners (zset)
-- returns  per type: waiting, running, workers
local reply, t = {}, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS, 3 do
  local waiting, counts = 0, redis.call('HGETALL', KEYS[i])
  for j = 1, #counts, 2 do
    if counts[j] * 1000 > now then waiting = waiting + counts[j + 1] end
  end
  reply[i] = waiting
  reply[i + 1] = redis.call('HLEN', KEYS[i + 1])
  reply[i + 2] = redis.call('ZCOUNT', KEYS[i + 2], '(' .. now, '+inf')
end
return reply
