-- Waiting tasks whose answer came late after all stop waiting.
-- KEYS[1]  hash    wanted: second in which interest ends -> waiting tasks of the type
-- KEYS[2+] string  waiting inputs (in the input database)
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- returns  how many were waiting
local wanted, main_db, input_db = KEYS[1], ARGV[1], ARGV[2]
local t, gone, forgotten = redis.call('TIME'), {}, 0
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('SELECT', input_db)
for i = 2, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  if left > 0 then
    redis.call('DEL', KEYS[i])
    gone[i], forgotten = math.floor((now + left) / 1000 + 0.5), forgotten + 1
  end
end
redis.call('SELECT', main_db)
for _, second in pairs(gone) do redis.call('HINCRBY', wanted, second, -1) end
return forgotten
