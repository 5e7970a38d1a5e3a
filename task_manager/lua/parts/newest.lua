-- Tasks by a time, the newest first; those of the same ms by id.
-- ARGV  id_prefix  string  only tasks whose ids begin so
-- ARGV  limit      count
-- ARGV  before_ms  ms      only those that come after a task of that time
-- ARGV  after_id   string  and of this id

-- Whether a task of this time is to be told.
local function is_asked_for(id, at_ms)
  if id:sub(1, #id_prefix) ~= id_prefix then return false end
  return at_ms < before_ms or at_ms == before_ms and id > after_id
end

-- Puts tasks {id = ..., at_ms = ...} in order and leaves the first `limit`; whether there were more.
local function keep_newest(tasks)
  table.sort(tasks, function(one, other)
    return one.at_ms > other.at_ms or one.at_ms == other.at_ms and one.id < other.id
  end)
  local is_cut = #tasks > limit
  for i = #tasks, limit + 1, -1 do tasks[i] = nil end
  return is_cut
end
