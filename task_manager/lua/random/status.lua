-- Tells how a task is, without making it wanted.
-- KEYS[1]  hash    wanted: second in which interest ends -> waiting tasks of the type
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  string  result
-- KEYS[5]  string  waiting input (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  id
-- returns  the load, then: false (unknown) | its result record | "running " + value [+ "\n" + progress]
--          | "waiting attempts submitted_ms"
local wanted, running, progress, result_key, input_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local main_db, input_db, id, t = ARGV[1], ARGV[2], ARGV[3], redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local load, counts = redis.call('HLEN', running), redis.call('HGETALL', wanted)
for i = 1, #counts, 2 do
  if counts[i] * 1000 > now then load = load + counts[i + 1] end
end
local record = redis.call('GET', result_key)
if record then return { load, record } end
local held = redis.call('HGET', running, id)
if held then
  local done = redis.call('HGET', progress, id)
  return { load, 'running ' .. held .. (done and '\n' .. done or '') }
end
redis.call('SELECT', input_db)
local attempts, submitted = redis.call('GETRANGE', input_key, 0, 63):match('^(%d+) (%d+) ')
redis.call('SELECT', main_db)
return { load, submitted and 'waiting ' .. attempts .. ' ' .. submitted or false }
