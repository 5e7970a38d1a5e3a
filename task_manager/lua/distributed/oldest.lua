-- Tells for how long the tasks of one type wait that are next.
-- KEYS  waiting  zset    id by when it expires, ms
-- KEYS  inputs   hash    id -> waiting record
-- KEYS  turns    zset    id by its turn
-- returns  list: the longest of these waits, ms; -1 where none waits
-- include clock
-- include waiting_record
-- include turns
local MOST_LOOKED_AT = 50 -- of each priority, since a client's own tasks are in the order in which they came

local function next_in_line()
  if pick == 'random' then return redis.call('ZRANDMEMBER', waiting, MOST_LOOKED_AT) end
  if pick == 'oldest' then return redis.call('ZRANGE', turns, 0, MOST_LOOKED_AT) end
  local found = {}
  for priority = 1, 5 do
    local from = priority * PRIORITY
    local ids = redis.call('ZRANGEBYSCORE', turns, from, from + PRIORITY - 1, 'LIMIT', 0, MOST_LOOKED_AT)
    for _, id in ipairs(ids) do found[#found + 1] = id end
  end
  return found
end

local longest_ms = -1
local ids = next_in_line()
if #ids == 0 then return { longest_ms } end
local expiries = redis.call('ZMSCORE', waiting, unpack(ids))
local records = redis.call('HMGET', inputs, unpack(ids))
for i = 1, #ids do
  local _, submitted = read_waiting(records[i] or '')
  local is_waiting = submitted and tonumber(expiries[i] or 0) > now_ms
  if is_waiting then longest_ms = math.max(longest_ms, now_ms - submitted) end
end
return { longest_ms }
