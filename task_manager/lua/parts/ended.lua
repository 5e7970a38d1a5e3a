-- Lists of tasks of one type that ended, whatever their version: one by each way to end, the newest first.
-- Of one that failed or was cancelled it is kept what is told of it, since its result expires soon.
-- Listing stops nothing else: what Redis refuses to write for now is not listed.
-- luacheck: push ignore 211
local MOST_ENDED = 1000 -- that are told
local TRIMMED_ABOVE = 1250 -- so that one call in many trims
local TOLD_BYTES = 2048 -- of a failure: the end of its body, where its error stands
local ENDED_MS = 7 * 24 * 3600 * 1000 -- since workers said last that they are there
-- luacheck: pop

-- What is listed of a task with this result record: "id record-without-its-body\nend of the body".
local function told_of_end(id, record)
  local head = record:find('\n', 1, true)
  return id .. ' ' .. record:sub(1, head) .. record:sub(math.max(head + 1, #record - TOLD_BYTES + 1))
end

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
