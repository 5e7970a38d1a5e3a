-- KEYS  wake  list  a token for each idle worker to wake
local MOST_WAKE_TOKENS = 16

-- Wakes as many idle workers as there are new tasks.
local function wake_workers(tasks)
  local missing = MOST_WAKE_TOKENS - redis.call('LLEN', wake)
  for _ = 1, math.min(tasks, missing) do redis.call('RPUSH', wake, 1) end
end
