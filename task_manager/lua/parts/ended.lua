-- Lists of tasks of one type that ended, whatever their version: one by each way to end, the newest first.
-- Listing stops nothing else: what Redis refuses to write for now is not listed.
-- luacheck: push ignore 211
local MOST_ENDED = 1000 -- that are told
local TRIMMED_ABOVE = 1250 -- so that one call in many trims
local ENDED_MS = 7 * 24 * 3600 * 1000 -- since workers said last that they are there
-- luacheck: pop

-- These have just ended, the last of them last.
local function note_ended(key, ended)
  if #ended == 0 then return end
  local first = math.max(1, #ended - MOST_ENDED + 1)
  local length = redis.pcall('LPUSH', key, unpack(ended, first))
  if type(length) ~= 'number' then return end
  local is_new = length <= #ended
  local is_long = length > TRIMMED_ABOVE
  if is_long then redis.call('LTRIM', key, 0, MOST_ENDED - 1) end
  if is_new or is_long then redis.call('PEXPIRE', key, ENDED_MS) end
end
