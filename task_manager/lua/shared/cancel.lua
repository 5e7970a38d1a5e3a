-- Cancels a waiting or running task.
-- KEYS  running         hash    id -> running record
-- KEYS  cancelled       hash    id -> owner whose process is to be stopped
-- KEYS  progress        hash    id -> "fraction message"
-- KEYS  tally           hash    as in parts/tally
-- KEYS  ended_cancelled list    as in parts/ended
-- KEYS  results[]       string  the one
-- ARGV  failure_ttl_ms  ms      how long the task is known as cancelled
-- ARGV  channel         string  of finished tasks
-- ARGV  ids[]           string  the one
-- returns  any: false: unknown | "terminal" | the record that now says cancelled
-- include running_record
-- include result_record
-- include store
-- include tally
-- include ended
local KEEP_CANCELLED_MS = 60000 -- for the owner's supervisor to hear of it
local id = ids[1]
if redis.call('EXISTS', results[1]) == 1 then return 'terminal' end
local held = redis.call('HGET', running, id)
local times, attempts
if held then
  local task = read_running(held)
  times, attempts = read_times(held)
  redis.call('HDEL', running, id)
  redis.call('HDEL', progress, id)
  if task then redis.call('HSET', cancelled, id, task.owner) end
  redis.call('PEXPIRE', cancelled, KEEP_CANCELLED_MS)
else
  local task = take_waiting(1)
  if not task then return false end
  times = (task.submitted_ms or 0) .. ' 0'
  attempts = task.attempts
end
local record = result_record('cancelled', times, attempts, failure_ttl_ms, '')
redis.call('SET', results[1], record, 'PX', failure_ttl_ms)
redis.call('PUBLISH', channel, id)
note_ended(ended_cancelled, { told_of_end(id, record) })
tally_up(tally, { cancelled = 1 })
return record
