-- Tells how a task is, without keeping it alive.
-- KEYS  running        hash    id -> running record
-- KEYS  results[]      string  the one
-- ARGV  claims_prefix  string  what the keys of claims begin with, before the owner
-- ARGV  ids[]          string  the one
-- returns  list: the load, then: false (unknown) | its result record | "unreadable"
--          | "running " + record [+ "\n" + progress] | "waiting attempts submitted_ms";
--          then the input of a waiting or running task
-- include running_record
-- include result_in
-- include running_reply
-- include store
local id = ids[1]
local load = redis.call('HLEN', running) + waiting_count()
local result = result_in(results[1])
if result then return { load, result } end
local held = redis.call('HGET', running, id)
local task = held and read_running(held)
if task then
  local input = redis.call('HGET', claims_prefix .. task.owner, id)
  return { load, running_reply(id, held), input }
end
task = find_waiting(1)
if not task then return { load, false } end
return { load, 'waiting ' .. task.attempts .. ' ' .. task.submitted_ms, task.input }
