-- What happened to tasks of one type, whatever their version: how often, in all and by the minute.
-- Each tally is a hash: event: how often before the current minute | "now " event: how often in it
--                       | minute: which that is, since 1970 | "at " minute: one before, as "event count event ..."
-- Counting stops nothing else: what Redis refuses to write for now is not counted.
-- include clock
-- luacheck: push ignore 211
local MINUTE_MS = 60000
local HISTORY = 480 -- minutes that are told one by one
local TALLY_MS = 30 * 24 * 3600 * 1000 -- how long it is kept when nothing happens any more
-- luacheck: pop

-- What happened in the minute that `ended` joins the rest.
local function end_minute(key, ended)
  local entries = redis.call('HGETALL', key)
  local events = {}
  for i = 1, #entries, 2 do
    local field = entries[i]
    local since = tonumber(field:match('^at (%d+)$') or ended)
    if field:sub(1, 4) == 'now ' then
      events[#events + 1] = field:sub(5) .. ' ' .. entries[i + 1]
      redis.pcall('HINCRBY', key, field:sub(5), entries[i + 1])
      redis.call('HDEL', key, field)
    elseif since <= ended - HISTORY then
      redis.call('HDEL', key, field)
    end
  end
  redis.call('HSET', key, 'at ' .. ended, table.concat(events, ' '))
end

-- Counts events, each of which happened so often.
local function tally_up(key, events)
  if not next(events) then return end
  local minute = math.floor(now_ms / MINUTE_MS)
  local current = redis.pcall('HGET', key, 'minute')
  if current ~= tostring(minute) then
    if type(redis.pcall('HSET', key, 'minute', minute)) ~= 'number' then return end
    if current then end_minute(key, tonumber(current) or minute) end
    redis.call('PEXPIRE', key, TALLY_MS)
  end
  for event, by in pairs(events) do
    local written = by == 0 and by or redis.pcall('HINCRBY', key, 'now ' .. event, by)
    if type(written) ~= 'number' then return end
  end
end
