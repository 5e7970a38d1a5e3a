-- Counts the tasks of one type and the workers that serve it.
-- KEYS[1]  zset    waiting: ids by the end of their interest, ms
-- KEYS[2]  zset    running: "id:execution" by the end of its lease, s
-- KEYS[3]  set     keys of the workers of this queue; each lives as long as its lease
-- returns  {waiting, running, workers}
local waiting, running, workers = KEYS[1], KEYS[2], KEYS[3]
local t, alive = redis.call('TIME'), 0
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, worker in ipairs(redis.call('SMEMBERS', workers)) do alive = alive + redis.call('EXISTS', worker) end
return { redis.call('ZCOUNT', waiting, now, '+inf'), redis.call('ZCARD', running), alive }
