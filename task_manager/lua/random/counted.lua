-- Counts of waiting tasks of one type: their keys expire by themselves, so they are counted by the
-- second in which they do.
-- Each is a hash: epoch:  when the count began, µs | total: waiting tasks but those of seconds up to
--                  swept | swept: second | each second in which tasks expire: waiting tasks
-- include clock
-- include tally

-- How many are counted, and the count's epoch, nil where there is no count. Seconds that are over are
-- subtracted once, so that neither the input ttl nor the number of tasks matters; their tasks are tallied.
local function counted(key, tally_key)
  local now_s = tonumber(time[1])
  local epoch, total, swept = unpack(redis.call('HMGET', key, 'epoch', 'total', 'swept'))
  total = tonumber(total or '')
  swept = tonumber(swept or '')
  if not (total and swept and epoch and epoch:match('^%d+$')) then return 0, nil end
  local over = {}
  local gap = now_s - swept
  if gap > redis.call('HLEN', key) then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if (tonumber(field) or now_s + 1) <= now_s then over[#over + 1] = field end
    end
  else
    for second = swept + 1, now_s do over[#over + 1] = second end
  end
  local abandoned = 0
  for _, second in ipairs(over) do abandoned = abandoned + (tonumber(redis.call('HGET', key, second) or '') or 0) end
  total = total - abandoned
  -- Where Redis takes no writes for now, the next one does it.
  if gap > 0 and type(redis.pcall('HSET', key, 'total', total, 'swept', now_s)) == 'number' then
    for _, second in ipairs(over) do redis.call('HDEL', key, second) end
    if abandoned > 0 then tally_up(tally_key, { abandoned = abandoned }) end
  end
  return total, epoch
end

-- The epoch of a count that begins now.
local function new_epoch()
  return ('%d%06d'):format(time[1], time[2])
end

local function begin_count(key, epoch)
  redis.call('HSET', key, 'epoch', epoch, 'total', 0, 'swept', time[1])
end

-- `by` more tasks expire in that second.
local function count(key, second, by)
  redis.call('HINCRBY', key, second, by)
  redis.call('HINCRBY', key, 'total', by)
end
