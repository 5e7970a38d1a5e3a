-- Tells how a task is, without making it wanted.
-- KEYS[1]  hash    wanted: counts of waiting tasks, as in parts/counted
-- KEYS[2]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  string  result
-- KEYS[5]  string  waiting input (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  id
-- ARGV[4]  string  what the keys of claims begin with, before the owner
-- returns  the load, then: false (unknown) | its result record | "unreadable" | "running " + value [+ "\n" + progress]
--          | "waiting attempts submitted_ms"; then the input of a waiting or running task
-- include parts/counted
-- include parts/result_in
local wanted, running, progress, result_key, input_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local main_db, input_db, id, claims_prefix, t = ARGV[1], ARGV[2], ARGV[3], ARGV[4], redis.call('TIME')
local total = counted(wanted, tonumber(t[1]))
redis.call('SELECT', input_db)
local most, text = redis.call('DBSIZE'), redis.call('GET', input_key)
redis.call('SELECT', main_db)
local load = redis.call('HLEN', running) + math.min(total, most)
local record = result_in(result_key)
if record then return { load, record } end
local held = redis.call('HGET', running, id)
local owner = held and held:match('^(%S+) %d+ %d+ %d+ %d+$')
if owner then
  local done = redis.call('HGET', progress, id)
  return { load, 'running ' .. held .. (done and '\n' .. done or ''), redis.call('HGET', claims_prefix .. owner, id) }
end
local attempts, submitted, at = (text or ''):match('^(%d+) (%d+) [^\n]*\n()')
if not attempts then return { load, false } end
return { load, 'waiting ' .. attempts .. ' ' .. submitted, text:sub(at) }
