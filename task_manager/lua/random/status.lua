-- Tells how a task is, without making it wanted.
-- KEYS[1]  hash    wanted: second in which interest ends -> waiting tasks of the type
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  string  result
-- KEYS[5]  string  waiting input (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  id
-- ARGV[4]  string  what the keys of claims begin with, before the owner
-- returns  the load, then: false (unknown) | its result record | "running " + value [+ "\n" + progress]
--          | "waiting attempts submitted_ms"; then the input of a waiting or running task
local wanted, running, progress, result_key, input_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local main_db, input_db, id, claims_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local load, counts = redis.call('HLEN', running), redis.call('HGETALL', wanted)
for i = 1, #counts, 2 do
  if counts[i] * 1000 > now then load = load + counts[i + 1] end
end
local record = redis.call('GET', result_key)
if record then return { load, record } end
local held = redis.call('HGET', running, id)
if held then
  local done, claims = redis.call('HGET', progress, id), claims_prefix .. held:match('^%S+')
  return { load, 'running ' .. held .. (done and '\n' .. done or ''), redis.call('HGET', claims, id) }
end
redis.call('SELECT', input_db)
local text = redis.call('GET', input_key)
redis.call('SELECT', main_db)
if not text then return { load, false } end
local attempts, submitted, at = text:match('^(%d+) (%d+) [^\n]*\n()')
return { load, 'waiting ' .. attempts .. ' ' .. submitted, text:sub(at) }
