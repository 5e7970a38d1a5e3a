-- Records of terminal tasks: "state submitted_ms started_ms finished_ms attempts expires_ms\nbody".
-- include clock
local finished = ' ' .. now_ms .. ' '
local expiries = {} -- by ttl

-- The record of a task that ended now; `times` are "submitted_ms started_ms", 0 where they are not known.
local function result_record(state, times, attempts, ttl_ms, body)
  local expires = expiries[ttl_ms]
  if not expires then
    expires = ' ' .. now_ms + ttl_ms .. '\n'
    expiries[ttl_ms] = expires
  end
  return state .. ' ' .. (times or '0 0') .. finished .. (attempts or 0) .. expires .. body
end
