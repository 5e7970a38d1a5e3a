-- Tells what happened in each hour to tasks of one type, and keeps the hours that are over: they are the sums of
-- their minutes, which change no more, so whoever comes first keeps what anybody else would.
-- KEYS  tally  hash  as in parts/tally
-- KEYS  hours  hash  hour, since 1970: what happened in it, as "event count event ..."
-- returns  list: hour, what happened in it, ... the current hour included
-- include clock
-- include tally
local HOUR = 60 -- minutes
local HOURS = 720 -- that are told
local current = math.floor(now_ms / (HOUR * MINUTE_MS))

local told = {}
local kept = {}
local stored = redis.call('HGETALL', hours)
for i = 1, #stored, 2 do
  local hour = tonumber(stored[i])
  if hour and hour > current - HOURS then
    kept[hour] = true
    told[#told + 1] = stored[i]
    told[#told + 1] = stored[i + 1]
  else
    redis.call('HDEL', hours, stored[i])
  end
end

local last = tonumber(redis.call('HGET', tally, 'minute') or '') or math.huge
local sums = {}
-- An hour of which minutes have been forgotten already is not told: it would seem to be a quiet one.
local function add(minute, event, count)
  local hour = math.floor(minute / HOUR)
  if kept[hour] or hour > current or hour <= current - HOURS or hour * HOUR <= last - HISTORY then return end
  sums[hour] = sums[hour] or {}
  sums[hour][event] = (sums[hour][event] or 0) + tonumber(count)
end

local entries = redis.call('HGETALL', tally)
for i = 1, #entries, 2 do
  local minute = entries[i]:match('^at (%d+)$')
  local event = entries[i]:match('^now (%S+)$')
  if minute then
    for each, count in entries[i + 1]:gmatch('(%S+) (%d+)') do add(tonumber(minute), each, count) end
  elseif event and entries[i + 1]:match('^%d+$') then
    add(last, event, entries[i + 1])
  end
end

for hour, events in pairs(sums) do
  local words = {}
  for event, count in pairs(events) do words[#words + 1] = ('%s %.0f'):format(event, count) end
  local text = table.concat(words, ' ')
  told[#told + 1] = tostring(hour)
  told[#told + 1] = text
  -- Where Redis takes no writes for now, they are kept the next time.
  if hour < current and type(redis.pcall('HSET', hours, hour, text)) == 'number' then
    redis.call('PEXPIRE', hours, TALLY_MS)
  end
end
return told
