-- Shows how far running tasks of one type are; those that the owner does not hold are ignored.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    progress: id -> "fraction message"
-- ARGV[1]  string  owner
-- ARGV[2]  ms      how long it is shown without news
-- ARGV[3+] per task: id, "fraction message"
-- returns  how many are shown
local running, progress = KEYS[1], KEYS[2]
local owner, keep_ms, shown = ARGV[1], ARGV[2], 0
for i = 3, #ARGV, 2 do
  local held = redis.call('HGET', running, ARGV[i])
  if held and held:sub(1, #owner + 1) == owner .. ' ' then
    redis.call('HSET', progress, ARGV[i], ARGV[i + 1])
    shown = shown + 1
  end
end
redis.call('PEXPIRE', progress, keep_ms)
return shown
