-- Picks by chance, so that no client can crowd out another.
-- include clock
local NEIGHBOURS = 16

-- Ids of `waiting_key` and when they expire; of a long queue in runs of neighbours, evenly spaced from a
-- random place, since each single pick would miss the processor's caches.
local function pick_random(waiting_key, size, picks)
  if size < 4 * picks then return redis.call('ZRANDMEMBER', waiting_key, picks, 'WITHSCORES') end
  math.randomseed(time[2])
  local found = {}
  local runs = math.ceil(picks / NEIGHBOURS)
  local most = math.min(NEIGHBOURS, picks)
  local first = math.random(0, size - 1)
  for run = 0, runs - 1 do
    local from = (first + run * math.floor(size / runs)) % (size - most + 1)
    local upto = from + math.min(most, picks - run * NEIGHBOURS) - 1
    for _, part in ipairs(redis.call('ZRANGE', waiting_key, from, upto, 'WITHSCORES')) do
      found[#found + 1] = part
    end
  end
  return found
end
