-- Cancels a waiting or running task.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    progress: id -> "fraction message"
-- KEYS[3]  hash    cancelled: id -> owner whose process is to be stopped
-- KEYS[4]  hash    wanted: counts of waiting tasks, as in parts/counted
-- KEYS[5]  string  result
-- KEYS[6]  string  waiting input (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  id
-- ARGV[4]  ms      how long the task is known as cancelled
-- ARGV[5]  string  channel of finished tasks
-- returns  false: unknown | "terminal" | the record that now says cancelled
local running, progress, cancelled, wanted = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local result_key, input_key = KEYS[5], KEYS[6]
local main_db, input_db, id, ttl_ms, channel = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('EXISTS', result_key) == 1 then return 'terminal' end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local owner, submitted, started, attempts, since
local held = redis.call('HGET', running, id)
if held then
  owner, submitted, started, attempts = held:match('^(%S+) %d+ (%d+) (%d+) (%d+)$')
  redis.call('HDEL', running, id)
  redis.call('HDEL', progress, id)
  if owner then redis.call('HSET', cancelled, id, owner) end
  redis.call('PEXPIRE', cancelled, 60000)
else
  redis.call('SELECT', input_db)
  local head, left = redis.call('GETRANGE', input_key, 0, 63), redis.call('PTTL', input_key)
  redis.call('DEL', input_key)
  redis.call('SELECT', main_db)
  if left <= 0 then return false end
  attempts, submitted, since = head:match('^(%d+) (%d+) (%d+) ')
  if since and since == redis.call('HGET', wanted, 'epoch') then
    redis.call('HINCRBY', wanted, math.floor((now + left) / 1000 + 0.5), -1)
    redis.call('HINCRBY', wanted, 'total', -1)
  end
end
local times = (submitted or 0) .. ' ' .. (started or 0) .. ' ' .. now .. ' ' .. (attempts or 0) .. ' ' .. now + ttl_ms
local record = 'cancelled ' .. times .. '\n'
redis.call('SET', result_key, record, 'PX', ttl_ms)
redis.call('PUBLISH', channel, id)
return record
