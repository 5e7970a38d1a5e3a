-- Tells for how long tasks wait, of a sample of the pool, by type.
-- ARGV  main_db   int     where the script begins
-- ARGV  input_db  int
-- ARGV  queue[]   string  the types with their versions
-- returns  list: per type: the longest of these waits, ms; -1 where none was met
-- include clock
local MOST_LOOKED_AT = 200
local place_of = {}
local reply = {}
for i, name in ipairs(queue) do
  place_of[name] = i
  reply[i] = -1
end
redis.call('SELECT', input_db)
for _ = 1, redis.call('DBSIZE') > 0 and MOST_LOOKED_AT or 0 do
  local key = redis.call('RANDOMKEY')
  local submitted, name = redis.call('GETRANGE', key or '', 0, 511):match('^%d+ (%d+) %d+ (%S+)\n')
  local place = place_of[name or '']
  if place then reply[place] = math.max(reply[place], now_ms - submitted) end
end
redis.call('SELECT', main_db)
return reply
