-- Lists the workers of one type and some of what each runs.
-- KEYS  running        hash    id -> running record
-- KEYS  owners         zset    owner by the end of its lease, ms
-- ARGV  claims_prefix  string  what the keys of claims begin with, before the owner
-- ARGV  most           count   of workers
-- ARGV  most_tasks     count   of each
-- returns  list: per worker: its owner name, how many tasks it holds, {id, when it began (ms), ...}
-- include clock
-- include running_record
local reply = {}
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', owners, '(' .. now_ms, '+inf', 'LIMIT', 0, most)) do
  local claims = claims_prefix .. owner
  local tasks = {}
  for _, id in ipairs(redis.call('HRANDFIELD', claims, most_tasks) or {}) do
    local record = redis.call('HGET', running, id)
    local task = record and read_running(record)
    if task and task.owner == owner then
      tasks[#tasks + 1] = id
      tasks[#tasks + 1] = task.started_ms
    end
  end
  local n = #reply
  reply[n + 1] = owner
  reply[n + 2] = redis.call('HLEN', claims)
  reply[n + 3] = tasks
end
return reply
