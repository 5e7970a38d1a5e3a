-- Lists running tasks of one type, those first that began last. Of very many it looks at some.
-- KEYS  running   hash  id -> running record
-- KEYS  progress  hash  id -> "fraction message"
-- returns  list: 1: there are more | 0: these are the last; then per task: id, running record, progress or ''
-- include newest
-- include running_record
local MOST_LOOKED_AT = 1000
local entries = redis.call('HRANDFIELD', running, MOST_LOOKED_AT, 'WITHVALUES') or {}
local found = {}
for i = 1, #entries, 2 do
  local task = read_running(entries[i + 1])
  local at_ms = task and tonumber(task.started_ms)
  if task and is_asked_for(entries[i], at_ms) then
    found[#found + 1] = { id = entries[i], at_ms = at_ms, record = entries[i + 1] }
  end
end
local reply = { keep_newest(found) and 1 or 0 }
for _, task in ipairs(found) do
  local n = #reply
  reply[n + 1] = task.id
  reply[n + 2] = task.record
  reply[n + 3] = redis.call('HGET', progress, task.id) or ''
end
return reply
