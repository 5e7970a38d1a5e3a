-- Shows how far running tasks of one type are; those that the owner does not hold are ignored.
-- KEYS  running    hash    id -> running record
-- KEYS  progress   hash    id -> "fraction message"
-- ARGV  owner      string
-- ARGV  keep_ms    ms      how long it is shown without news
-- ARGV  ids[]      string
-- ARGV  reports[]  string  "fraction message"
-- returns  int: how many are shown
-- include running_record
local shown = 0
for i, id in ipairs(ids) do
  if is_held(redis.call('HGET', running, id), held_prefix(owner)) then
    redis.call('HSET', progress, id, reports[i])
    shown = shown + 1
  end
end
redis.call('PEXPIRE', progress, keep_ms)
return shown
