-- Has workers begin no task of one type, or begin them again.
-- KEYS  paused     string  there while it is paused
-- ARGV  is_paused  flag
-- returns  int: 1
-- include wake
local PAUSED_MS = 30 * 24 * 3600 * 1000 -- since workers said last that they are there
if is_paused then
  redis.call('SET', paused, 1, 'PX', PAUSED_MS)
else
  redis.call('UNLINK', paused)
  wake_workers(MOST_WAKE_TOKENS)
  redis.call('PEXPIRE', wake, 60000)
end
return 1
