-- Tells how a task is, without making it wanted.
-- KEYS[1]  hash    job
-- KEYS[2]  stream  results of the job, the first one counts
-- KEYS[3]  zset    waiting: ids by the end of their interest, ms
-- KEYS[4]  zset    running: "id:execution" by the end of its lease, s
-- returns  {load}: unknown | {load, ms of remaining life, fields of the first result or {}, then
--          status, submitted_ms, started_ms, finished_ms, attempts, progress, now_ms}
local job, results, waiting, running = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local load = redis.call('ZCOUNT', waiting, now, '+inf') + redis.call('ZCARD', running)
local told = redis.call('HMGET', job, 'status', 'submitted_ms', 'started_ms', 'finished_ms', 'attempts', 'progress')
if not told[1] then return { load } end
local first = redis.call('XRANGE', results, '-', '+', 'COUNT', 1)[1]
told[#told + 1] = now
return { load, redis.call('PTTL', job), first and first[2] or {}, unpack(told) }
