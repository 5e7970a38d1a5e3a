-- One waiting task, which an RQ job is about, begins to run in the name of an owner of its own.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[3]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[4]  hash    claims of the owner: id -> input
-- KEYS[5]  zset    owners: owner by the end of its lease, ms
-- ARGV[1]  string  id
-- ARGV[2]  string  owner
-- ARGV[3]  ms      lease
-- ARGV[4]  ms      how long records of running tasks are kept without a renewal
-- returns  its input | false: it has its answer, is cancelled or runs already, or nobody wants it
local waiting, inputs, running, claims, owners = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, owner, lease_ms, keep_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local score, text = redis.call('ZSCORE', waiting, id), redis.call('HGET', inputs, id)
redis.call('ZREM', waiting, id)
redis.call('HDEL', inputs, id)
if not score or not text or tonumber(score) <= now then return false end
local attempts, submitted, at = text:match('^(%d+) (%d+)\n()')
if not at then return false end
local input = text:sub(at)
local record = ('%s %.0f %s %.0f %d'):format(owner, score, submitted, now, attempts + 1)
redis.call('HSET', running, id, record)
redis.call('HSET', claims, id, input)
redis.call('ZADD', owners, now + lease_ms, owner)
for _, key in ipairs({ running, claims, owners }) do redis.call('PEXPIRE', key, keep_ms) end
return input
