-- How long tasks waited, in the buckets of a histogram.
local BUCKETS = { -- their upper ends, ms; one more has none
  5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000, 7200000,
}
local bucket_after = {} -- by duration: many tasks of one call have the same

local function find_bucket(waited_ms)
  for i, upto_ms in ipairs(BUCKETS) do
    if waited_ms <= upto_ms then return i end
  end
  return #BUCKETS + 1
end

-- Notes among `events` that a task begins, at an attempt that waited so long.
local function note_begun(events, attempts, waited_ms)
  if attempts ~= '1' then
    events.retries = (events.retries or 0) + 1
    return
  end
  local bucket = bucket_after[waited_ms]
  if not bucket then
    bucket = 'wait_' .. find_bucket(waited_ms)
    bucket_after[waited_ms] = bucket
  end
  events[bucket] = (events[bucket] or 0) + 1
  events.wait_ms = (events.wait_ms or 0) + math.max(0, waited_ms)
end
