-- Running tasks of one type and owner wait again, or fail, or are dropped when nobody wants them.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    claims of the owner: id -> input
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  hash    wanted: counts of waiting tasks, as in parts/counted
-- KEYS[5]  list    retry: ids of waiting tasks to be claimed alone, first
-- KEYS[6]  list    wake: a token for each worker to wake
-- KEYS[7+] string  the n results, then the n waiting inputs (these in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  owner
-- ARGV[4]  string  task type and version
-- ARGV[5]  count   max attempts
-- ARGV[6]  ms      failure ttl
-- ARGV[7]  string  body of the failure (JSON)
-- ARGV[8]  string  channel of finished tasks
-- ARGV[9+] per task: id, "1" where this attempt counts (the process died with it) else "0"
-- returns  how many claims ended
-- include parts/counted
local running, claims, progress, wanted, retry, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local main_db, input_db, owner, task_type = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local max_attempts, failure_ttl_ms, failure, channel = tonumber(ARGV[5]), ARGV[6], ARGV[7], ARGV[8]
local n, t, ended = (#KEYS - 6) / 2, redis.call('TIME'), 0
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, n do
  local id, counts = ARGV[7 + 2 * i], ARGV[8 + 2 * i] == '1'
  local result_key, input_key = KEYS[6 + i], KEYS[6 + n + i]
  local held, input = redis.call('HGET', running, id), redis.call('HGET', claims, id)
  redis.call('HDEL', claims, id)
  if held and held:sub(1, #owner + 1) == owner .. ' ' then
    ended = ended + 1
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    local wanted_until, submitted, started, attempts = held:match('^%S+ (%d+) (%d+) (%d+) (%d+)$')
    local left = (wanted_until or 0) - now
    if counts and tonumber(attempts or 0) >= max_attempts then
      local times = submitted .. ' ' .. started .. ' ' .. now .. ' ' .. attempts .. ' ' .. now + failure_ttl_ms
      if redis.call('SET', result_key, 'failed ' .. times .. '\n' .. failure, 'PX', failure_ttl_ms, 'NX') then
        redis.call('PUBLISH', channel, id)
      end
    elseif left > 0 and input and redis.call('EXISTS', result_key) == 0 then
      if not counts then attempts = math.max(0, attempts - 1) end
      local _, epoch = counted(wanted, tonumber(t[1]))
      if not epoch then
        epoch = ('%d%06d'):format(t[1], t[2])
        redis.call('DEL', wanted)
        redis.call('HSET', wanted, 'epoch', epoch, 'total', 0, 'swept', t[1])
      end
      redis.call('SELECT', input_db)
      local text = attempts .. ' ' .. submitted .. ' ' .. epoch .. ' ' .. task_type .. '\n' .. input
      redis.call('SET', input_key, text, 'PXAT', wanted_until - 1)
      redis.call('SELECT', main_db)
      redis.call('HINCRBY', wanted, wanted_until / 1000, 1)
      redis.call('HINCRBY', wanted, 'total', 1)
      if tonumber(attempts) > 0 then redis.call('RPUSH', retry, id) end
      if redis.call('LLEN', wake) < 16 then redis.call('RPUSH', wake, 1) end
      for _, key in ipairs({ wanted, retry, wake }) do
        if redis.call('PTTL', key) < left then redis.call('PEXPIREAT', key, wanted_until) end
      end
    end
  end
end
return ended
