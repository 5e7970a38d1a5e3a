-- Waiting tasks whose answer came late after all stop waiting.
-- KEYS[1]  hash    wanted: counts of waiting tasks, as in parts/counted
-- KEYS[2+] string  waiting inputs (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- returns  how many were waiting
local wanted, main_db, input_db = KEYS[1], ARGV[1], ARGV[2]
local t, gone, forgotten, epoch = redis.call('TIME'), {}, 0, redis.call('HGET', wanted, 'epoch')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('SELECT', input_db)
for i = 2, #KEYS do
  local left, head = redis.call('PTTL', KEYS[i]), redis.call('GETRANGE', KEYS[i], 0, 63)
  if left > 0 then
    redis.call('DEL', KEYS[i])
    forgotten = forgotten + 1
    if head:match('^%d+ %d+ (%d+) ') == epoch then gone[#gone + 1] = math.floor((now + left) / 1000 + 0.5) end
  end
end
redis.call('SELECT', main_db)
for _, second in ipairs(gone) do
  redis.call('HINCRBY', wanted, second, -1)
  redis.call('HINCRBY', wanted, 'total', -1)
end
return forgotten
