-- Records of waiting tasks in the pool: "attempts submitted_ms epoch queue\ninput"; `epoch` is that of
-- the count in which the task is. Tasks expire on whole seconds; their keys go 1 ms before, since Redis
-- keeps a key through its last one.
-- include clock

-- A record's beginning, with attempts, submitted_ms and epoch.
local function read_head(key) return redis.call('GETRANGE', key, 0, 63) end

-- The second in which a key expires that has so long left.
local function expiry_second(left_ms)
  return math.floor((now_ms + left_ms) / 1000 + 0.5)
end

local function pool_record(task, epoch, name, input)
  return task.attempts .. ' ' .. task.submitted_ms .. ' ' .. epoch .. ' ' .. name .. '\n' .. input
end
