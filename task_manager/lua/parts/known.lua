-- What is known of submitted tasks that do not wait.
-- KEYS  running        hash    id -> running record
-- KEYS  owners         zset    owner by the end of its lease, ms
-- KEYS  results[]      string  result record
-- ARGV  channel        string  of finished tasks
-- ARGV  claims_prefix  string  what the keys of claims begin with, before the owner
-- ARGV  discard        flag    drop results first
-- ARGV  awaited        flag    whoever submits these waits for them: where one is cancelled, that is the answer
-- ARGV  most_bytes     count   of results that are told at once, but for the last of them
-- ARGV  ids[]          string
-- include running_record
-- include result_in
-- include running_reply

-- The running task, kept alive for longer; nil where nobody would ever end it, since its owner is gone
-- or no longer knows of it.
local function still_running(id, kept_until_ms)
  local record = redis.call('HGET', running, id)
  if not record then return nil end
  local task = read_running(record)
  local is_owned = task
    and redis.call('ZSCORE', owners, task.owner)
    and redis.call('HEXISTS', claims_prefix .. task.owner, id) == 1
  if not is_owned then
    redis.call('HDEL', running, id)
    redis.call('HDEL', progress, id)
    return nil
  end
  if tonumber(task.kept_until_ms) < kept_until_ms then
    task.kept_until_ms = whole(kept_until_ms)
    record = running_record(task)
    redis.call('HSET', running, id, record)
  end
  return running_reply(id, record)
end

local told_bytes = 0

-- How the i-th task is told where it is terminal or runs; false elsewhere. Results for which there is no room
-- are 'later': they are to be asked for again.
local function known(i, kept_until_ms)
  if told_bytes >= most_bytes and redis.call('EXISTS', results[i]) == 1 then return 'later' end
  local record = result_in(results[i])
  if record and (discard or not awaited and record:sub(1, 9) == 'cancelled') then
    redis.call('DEL', results[i])
    redis.call('PUBLISH', channel, ids[i])
    record = false
  end
  if record then told_bytes = told_bytes + #record end
  return record or still_running(ids[i], kept_until_ms) or false
end
