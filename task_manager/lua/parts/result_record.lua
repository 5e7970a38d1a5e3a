-- Records of terminal tasks: "state submitted_ms started_ms finished_ms attempts expires_ms\nbody".
-- include clock
local finished = ' ' .. now_ms .. ' '
local expiries = {} -- by ttl

-- The record of `task`, which ended now; what is not known of it is 0.
local function result_record(state, task, ttl_ms, body)
  local expires = expiries[ttl_ms]
  if not expires then
    expires = ' ' .. now_ms + ttl_ms .. '\n'
    expiries[ttl_ms] = expires
  end
  local began = ' ' .. (task.submitted_ms or 0) .. ' ' .. (task.started_ms or 0)
  return state .. began .. finished .. (task.attempts or 0) .. expires .. body
end
