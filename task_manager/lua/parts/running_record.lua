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

-- An instant as records have it: a score, which servers may write as 1e+15, or a number.
local function whole(instant) return ('%.0f'):format(instant) end

-- The record that says so.
local function running_record(task)
  local kept_until = ' ' .. task.kept_until_ms .. ' '
  local record = task.owner .. kept_until .. task.submitted_ms .. ' ' .. task.started_ms .. ' ' .. task.attempts
  return task.turn and record .. ' ' .. whole(task.turn) or record
end

-- Whether the record says that `holder` holds the task.
local function is_held_by(record, holder)
  return record and record:sub(1, #holder + 1) == holder .. ' '
end
