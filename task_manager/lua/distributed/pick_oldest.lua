-- Picks those that came first: the ordered queue mode.

-- Ids of `turns_key` and when they expire, as `pick_random`.
local function pick_oldest(turns_key, waiting_key, picks)
  local oldest = redis.call('ZRANGE', turns_key, 0, picks - 1)
  local expiries = #oldest > 0 and redis.call('ZMSCORE', waiting_key, unpack(oldest))
  local found = {}
  for i, id in ipairs(oldest) do
    found[2 * i - 1] = id
    found[2 * i] = expiries[i] or 0
  end
  return found
end
