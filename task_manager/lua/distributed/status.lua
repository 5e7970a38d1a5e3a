-- Tells how a task is, without making it wanted.
-- KEYS[1]  zset    waiting: id by the end of its interest, ms
-- KEYS[2]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[3]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[4]  hash    progress: id -> "fraction message"
-- KEYS[5]  string  result
-- ARGV[1]  string  id
-- ARGV[2]  string  what the keys of claims begin with, before the owner
-- returns  the load, then: false (unknown) | its result record | "unreadable" | "running " + value [+ "\n" + progress]
--          | "waiting attempts submitted_ms"; then the input of a waiting or running task
-- include parts/result_in
local waiting, inputs, running, progress, result_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, claims_prefix, t = ARGV[1], ARGV[2], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local load = redis.call('HLEN', running) + redis.call('ZCOUNT', waiting, now + 1, '+inf')
local record = result_in(result_key)
if record then return { load, record } end
local held = redis.call('HGET', running, id)
local owner = held and held:match('^(%S+) %d+ %d+ %d+ %d+')
if owner then
  local done = redis.call('HGET', progress, id)
  return { load, 'running ' .. held .. (done and '\n' .. done or ''), redis.call('HGET', claims_prefix .. owner, id) }
end
local score, text = redis.call('ZSCORE', waiting, id), redis.call('HGET', inputs, id)
local head, at = (text or ''):match('^(%d+ %d+)\n()')
if not score or not head or tonumber(score) <= now then return { load, false } end
return { load, 'waiting ' .. head, text:sub(at) }
