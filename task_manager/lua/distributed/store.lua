-- Waiting tasks of one type: a sorted set by when each expires, and the inputs.
-- KEYS  waiting  zset    id by when it expires, ms
-- KEYS  inputs   hash    id -> waiting record
-- KEYS  turns    zset    id by its turn
-- KEYS  tally    hash    as in parts/tally
-- KEYS  clients  zset    "priority client" by the turn of its next task; "priority" by the turn claimed last
-- ARGV  ids[]    string
-- include clock
-- include waiting_record
-- include extend
-- include purge_expired
-- include turns
-- include tally

-- Removes those that have expired, and counts them.
local function drop_expired()
  local events = {}
  purge_expired(waiting, inputs, turns, events)
  tally_up(tally, events)
end

-- How many wait that have not expired.
local function waiting_count()
  return redis.call('ZCOUNT', waiting, now_ms + 1, '+inf')
end

-- Where nothing waits: removes what was left of tasks that were lost; all clients are as good as new.
local function remove_remains()
  if redis.call('EXISTS', waiting) == 1 then return end
  redis.call('UNLINK', inputs, turns)
  forget_all(clients)
end

-- The i-th task; nil where it does not wait.
local function find_waiting(i)
  local expires_ms = redis.call('ZSCORE', waiting, ids[i])
  local record = redis.call('HGET', inputs, ids[i])
  if not expires_ms or not record or tonumber(expires_ms) <= now_ms then return nil end
  local attempts, submitted, input = read_waiting(record)
  if not attempts then return nil end
  return { kept_until_ms = expires_ms, submitted_ms = submitted, attempts = attempts, input = input }
end

-- The i-th task, which waits no more; nil where it did not.
local function take_waiting(i)
  local task = find_waiting(i)
  remove(waiting, inputs, turns, { ids[i] })
  return task
end

-- The i-th task, which ran, waits again, in the turn that it had, or in that which claims have come to where
-- turns began anew meanwhile.
local function put_waiting(i, task, input)
  remove_remains()
  redis.call('ZADD', waiting, 'GT', task.kept_until_ms, ids[i])
  redis.call('HSET', inputs, ids[i], waiting_record(task, input))
  if task.turn and pick == 'fair' then
    local reached = turn_reached(clients, math.floor(task.turn / PRIORITY))
    task.turn = math.min(task.turn, reached)
  end
  if task.turn then redis.call('ZADD', turns, task.turn, ids[i]) end
  extend({ turns }, task.kept_until_ms)
  extend({ waiting, inputs }, task.kept_until_ms + COUNTED_WITHIN_MS)
end
