-- counted(wanted, now_s): how many waiting tasks of a type are counted, and when that count began
-- (nil where there is none). Seconds that are over are subtracted once, so that neither the input ttl
-- nor the number of tasks matters.
-- wanted   hash    epoch: when the count began, µs | total: waiting tasks but those of seconds up to
--                  swept | swept: second | each second in which interest ends: waiting tasks
local function counted(wanted, now_s) -- luacheck: ignore 211
  local epoch, total, swept = unpack(redis.call('HMGET', wanted, 'epoch', 'total', 'swept'))
  total, swept = tonumber(total or ''), tonumber(swept or '')
  if not (total and swept and epoch and epoch:match('^%d+$')) then return 0, nil end
  local over, gap = {}, now_s - swept
  if gap > redis.call('HLEN', wanted) then
    for _, field in ipairs(redis.call('HKEYS', wanted)) do
      if (tonumber(field) or now_s + 1) <= now_s then over[#over + 1] = field end
    end
  else
    for second = swept + 1, now_s do over[#over + 1] = second end
  end
  for _, second in ipairs(over) do total = total - (tonumber(redis.call('HGET', wanted, second) or '') or 0) end
  -- Where Redis takes no writes for now, the next one does it.
  if gap > 0 and type(redis.pcall('HSET', wanted, 'total', total, 'swept', now_s)) == 'number' then
    for _, second in ipairs(over) do redis.call('HDEL', wanted, second) end
  end
  return total, epoch
end
