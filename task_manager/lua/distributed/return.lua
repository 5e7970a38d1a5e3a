-- Running tasks of one type and owner wait again, or fail, or are dropped when nobody wants them.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    claims of the owner: id -> input
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4]  zset    waiting: id by the end of its interest, ms
-- KEYS[5]  hash    inputs: id -> "attempts submitted_ms\ninput"
-- KEYS[6]  list    retry: ids of waiting tasks to be claimed alone, first
-- KEYS[7]  list    wake: a token for each worker to wake
-- KEYS[8]  zset    turns: id by arrival, µs
-- KEYS[9+] string  the n results
-- ARGV[1]  string  owner
-- ARGV[2]  count   max attempts
-- ARGV[3]  ms      failure ttl
-- ARGV[4]  string  body of the failure (JSON)
-- ARGV[5]  string  channel of finished tasks
-- ARGV[6+] per task: id, "1" where this attempt counts (the process died with it) else "0"
-- returns  how many claims ended
local running, claims, progress, waiting, inputs = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local retry, wake, turns, owner, max_attempts = KEYS[6], KEYS[7], KEYS[8], ARGV[1], tonumber(ARGV[2])
local failure_ttl_ms, failure, channel = ARGV[3], ARGV[4], ARGV[5]
local t, ended = redis.call('TIME'), 0
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS - 8 do
  local id, counts, result_key = ARGV[4 + 2 * i], ARGV[5 + 2 * i] == '1', KEYS[8 + i]
  local held, input = redis.call('HGET', running, id), redis.call('HGET', claims, id)
  redis.call('HDEL', claims, id)
  if held and held:sub(1, #owner + 1) == owner .. ' ' then
    ended = ended + 1
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    local wanted_until, submitted, started, attempts, turn = held:match('^%S+ (%d+) (%d+) (%d+) (%d+) ?(%d*)$')
    local left = (wanted_until or 0) - now
    if counts and tonumber(attempts or 0) >= max_attempts then
      local times = submitted .. ' ' .. started .. ' ' .. now .. ' ' .. attempts .. ' ' .. now + failure_ttl_ms
      if redis.call('SET', result_key, 'failed ' .. times .. '\n' .. failure, 'PX', failure_ttl_ms, 'NX') then
        redis.call('PUBLISH', channel, id)
      end
    elseif left > 0 and input and redis.call('EXISTS', result_key) == 0 then
      if not counts then attempts = math.max(0, attempts - 1) end
      if redis.call('EXISTS', waiting) == 0 then redis.call('UNLINK', inputs, turns) end -- what was left of lost tasks
      redis.call('ZADD', waiting, 'GT', wanted_until, id)
      redis.call('HSET', inputs, id, attempts .. ' ' .. submitted .. '\n' .. input)
      if turn ~= '' then redis.call('ZADD', turns, turn, id) end -- the one that it had
      if tonumber(attempts) > 0 then redis.call('RPUSH', retry, id) end
      if redis.call('LLEN', wake) < 16 then redis.call('RPUSH', wake, 1) end
      for _, key in ipairs({ waiting, inputs, turns, retry, wake }) do
        if redis.call('PTTL', key) < left then redis.call('PEXPIREAT', key, wanted_until) end
      end
    end
  end
end
return ended
