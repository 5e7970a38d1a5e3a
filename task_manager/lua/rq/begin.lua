-- One waiting task, which an RQ job is about, begins to run in the name of an owner of its own.
-- KEYS  running   hash    id -> running record
-- KEYS  claims    hash    of the owner: id -> input
-- KEYS  owners    zset    owner by the end of its lease, ms
-- KEYS  tally     hash    as in parts/tally
-- KEYS  paused    string  there while the type is paused
-- ARGV  ids[]       string  the one
-- ARGV  owner       string
-- ARGV  lease_ms    ms
-- ARGV  keep_ms     ms      how long records of running tasks are kept without a renewal
-- ARGV  job_prefix  string  what the keys of RQ's jobs begin with, before the id
-- ARGV  job_keep_s  count   how long the job is kept, s; RQ has just taken its TTL away, and may never give it back
-- returns  any: its input | false: it has its answer, is cancelled, paused or runs already, or has expired
-- include running_record
-- include distributed/store
-- include tally
-- include waits
redis.call('EXPIRE', job_prefix .. ids[1], job_keep_s)
if redis.call('EXISTS', paused) == 1 then return false end
local task = take_waiting(1)
if not task then return false end
task.owner = owner
task.kept_until_ms = whole(task.kept_until_ms)
task.started_ms = now_ms
task.attempts = task.attempts + 1
redis.call('HSET', running, ids[1], running_record(task))
redis.call('HSET', claims, ids[1], task.input)
redis.call('ZADD', owners, now_ms + lease_ms, owner)
for _, key in ipairs({ running, claims, owners }) do redis.call('PEXPIRE', key, keep_ms) end
local events = {}
note_begun(events, tostring(task.attempts), now_ms - task.submitted_ms)
tally_up(tally, events)
return task.input
