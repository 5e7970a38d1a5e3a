-- Records of waiting tasks: "attempts submitted_ms\ninput".

-- The record's attempts, submitted_ms and input; nil where it cannot be read.
local function read_waiting(record)
  local attempts, submitted, at = record:match('^(%d+) (%d+)\n()')
  if attempts then return attempts, submitted, record:sub(at) end
end

-- The record that says so.
local function waiting_record(task, input)
  return task.attempts .. ' ' .. task.submitted_ms .. '\n' .. input
end
