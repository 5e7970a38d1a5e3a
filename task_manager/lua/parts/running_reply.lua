-- KEYS  progress  hash  id -> "fraction message"

-- How a running task is told: "running " + record [+ "\n" + progress].
local function running_reply(id, record)
  local report = redis.call('HGET', progress, id)
  return 'running ' .. record .. (report and '\n' .. report or '')
end
