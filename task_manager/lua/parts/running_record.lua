-- Records of running tasks: "owner kept_until_ms submitted_ms started_ms attempts[ turn]".

-- The record's fields by name, as they stand there; nil where it cannot be read.
local function read_running(record)
  local holder, kept_until, submitted, started, attempts, turn =
    record:match('^(%S+) (%d+) (%d+) (%d+) (%d+) ?(%d*)$')
  if not holder then return nil end
  return {
    owner = holder,
    kept_until_ms = kept_until,
    submitted_ms = submitted,
    started_ms = started,
    attempts = attempts,
    turn = turn ~= '' and turn or nil,
  }
end

-- When the task was submitted and began, and its attempts, as result records have them.
local function read_times(record)
  return record:match('^%S+ %d+ (%d+ %d+) (%d+)')
end

-- By instant: many tasks of one call have the same.
local wholes = {} -- luacheck: ignore 211
-- An instant as records have it: a score, which servers may write as 1e+15, or a number.
local function whole(instant)
  local text = wholes[instant]
  if not text then
    text = ('%.0f'):format(instant)
    wholes[instant] = text
  end
  return text
end

-- The record that says so.
local function running_record(task)
  local times = task.kept_until_ms .. ' ' .. task.submitted_ms .. ' ' .. task.started_ms
  if not task.turn then return task.owner .. ' ' .. times .. ' ' .. task.attempts end
  return task.owner .. ' ' .. times .. ' ' .. task.attempts .. ' ' .. whole(task.turn)
end

-- What the records of tasks begin with that `holder` holds.
local function held_prefix(holder) return holder .. ' ' end

-- Whether the record says that the holder with this `prefix` holds the task.
local function is_held(record, prefix)
  return record and record:sub(1, #prefix) == prefix
end
