-- Tasks that a claim takes: what is set of those of one type, and the reply.
-- KEYS  running[]  hash    id -> running record
-- KEYS  claims[]   hash    of the owner: id -> input
-- ARGV  keep_ms    ms      how long records of running tasks are kept without a renewal
-- ARGV  queue[]    string  the types (with versions, where those share a pool)
-- include running_record
local reply = {} -- four for each claim: id, queue, attempts, input

-- A task of the type at `place` begins to run: notes what is to be set, in `taken`, and the reply.
local function begin(place, taken, id, task, input)
  local records = taken.records
  local inputs_taken = taken.inputs
  local n = #records
  records[n + 1] = id
  records[n + 2] = running_record(task)
  inputs_taken[n + 1] = id
  inputs_taken[n + 2] = input
  n = #reply
  reply[n + 1] = id
  reply[n + 2] = queue[place]
  reply[n + 3] = task.attempts
  reply[n + 4] = input
end

-- Sets what was noted of the type at `place`.
local function store(place, taken)
  if #taken.records == 0 then return end
  redis.call('HSET', running[place], unpack(taken.records))
  redis.call('HSET', claims[place], unpack(taken.inputs))
  redis.call('PEXPIRE', running[place], keep_ms)
  redis.call('PEXPIRE', claims[place], keep_ms)
end
