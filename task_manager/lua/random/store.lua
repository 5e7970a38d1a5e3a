-- Waiting tasks of one type in the pool, one key each in the input database.
-- KEYS  counts    hash    counts of waiting tasks, as in random/counted
-- KEYS  tally     hash    as in parts/tally
-- KEYS  pool[]    string  pool record (in the input database)
-- ARGV  main_db   int     where scripts begin
-- ARGV  input_db  int
-- ARGV  queue     string  task type and version
-- include clock
-- include counted
-- include pool_record
-- include extend

-- Counts those that have expired.
local function drop_expired() counted(counts, tally) end

-- How many wait; not more than there are inputs, since some may be lost.
local function waiting_count()
  local total = counted(counts, tally)
  redis.call('SELECT', input_db)
  local most = redis.call('DBSIZE')
  redis.call('SELECT', main_db)
  return math.min(total, most)
end

-- Whether a task whose record begins with `head` is of this version; the count of another is elsewhere.
local function is_ours(head)
  local at = head:match('^%d+ %d+ %d+ ()')
  return not at or head:sub(at, at + #queue) == queue .. '\n'
end

-- The i-th task; nil where it does not wait here.
local function find_waiting(i)
  redis.call('SELECT', input_db)
  local record = redis.call('GET', pool[i])
  redis.call('SELECT', main_db)
  local attempts, submitted, at = (record or ''):match('^(%d+) (%d+) [^\n]*\n()')
  if not attempts or not is_ours(record) then return nil end
  return { attempts = attempts, submitted_ms = submitted, input = record:sub(at) }
end

-- The i-th task, which waits no more; nil where it did not wait here.
local function take_waiting(i)
  redis.call('SELECT', input_db)
  local head = redis.call('GETRANGE', pool[i], 0, 63 + #queue)
  local left_ms = redis.call('PTTL', pool[i])
  local taken = is_ours(head)
  if taken then redis.call('DEL', pool[i]) end
  redis.call('SELECT', main_db)
  if left_ms <= 0 or not taken then return nil end
  local attempts, submitted, epoch = head:match('^(%d+) (%d+) (%d+) ')
  if epoch and epoch == redis.call('HGET', counts, 'epoch') then count(counts, expiry_second(left_ms), -1) end
  return { attempts = attempts, submitted_ms = submitted }
end

-- The i-th task, which ran, waits again.
local function put_waiting(i, task, input)
  local _, epoch = counted(counts, tally)
  if not epoch then
    epoch = new_epoch()
    redis.call('DEL', counts)
    begin_count(counts, epoch)
  end
  redis.call('SELECT', input_db)
  redis.call('SET', pool[i], pool_record(task, epoch, queue, input), 'PXAT', task.kept_until_ms - 1)
  redis.call('SELECT', main_db)
  count(counts, task.kept_until_ms / 1000, 1)
  extend({ counts }, task.kept_until_ms + COUNTED_WITHIN_MS)
end
