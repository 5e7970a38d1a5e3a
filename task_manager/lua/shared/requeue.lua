-- Running tasks of one type and owner wait again, or fail, or are dropped when they have expired.
-- KEYS  running         hash    id -> running record
-- KEYS  claims          hash    of the owner: id -> input
-- KEYS  progress        hash    id -> "fraction message"
-- KEYS  tally           hash    as in parts/tally
-- KEYS  ended_failed    list    as in parts/ended
-- KEYS  retry           list    ids of waiting tasks to be claimed alone, first
-- KEYS  results[]       string  result record
-- ARGV  owner           string
-- ARGV  max_attempts    count
-- ARGV  failure_ttl_ms  ms
-- ARGV  failure         string  its body (JSON)
-- ARGV  channel         string  of finished tasks
-- ARGV  ids[]           string
-- ARGV  is_counted[]    flag    this attempt counts: the process died with the task
-- returns  int: how many claims ended
-- include running_record
-- include result_record
-- include extend
-- include wake
-- include store
-- include tally
-- include ended
local ended = 0
local crashed = {}
local events = { abandoned = 0 }

local function fail(i, held)
  local times, attempts = read_times(held)
  local record = result_record('failed', times, attempts, failure_ttl_ms, failure)
  if redis.call('SET', results[i], record, 'PX', failure_ttl_ms, 'NX') then
    redis.call('PUBLISH', channel, ids[i])
    crashed[#crashed + 1] = told_of_end(ids[i], record)
  end
end

local function wait_again(i, task, input)
  if not is_counted[i] then task.attempts = math.max(0, task.attempts - 1) end
  put_waiting(i, task, input)
  if tonumber(task.attempts) > 0 then redis.call('RPUSH', retry, ids[i]) end
  wake_workers(1)
  extend({ retry, wake }, task.kept_until_ms)
end

for i, id in ipairs(ids) do
  local held = redis.call('HGET', running, id)
  local input = redis.call('HGET', claims, id)
  redis.call('HDEL', claims, id)
  if is_held(held, held_prefix(owner)) then
    ended = ended + 1
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    local task = read_running(held)
    if task and is_counted[i] and tonumber(task.attempts) >= max_attempts then
      fail(i, held)
    elseif task and tonumber(task.kept_until_ms) <= now_ms then
      events.abandoned = events.abandoned + 1
    elseif task and input and redis.call('EXISTS', results[i]) == 0 then
      wait_again(i, task, input)
    end
  end
end
note_ended(ended_failed, crashed)
events.crashed = #crashed
tally_up(tally, events)
return ended
