-- Picks those whose turn it is.

-- Takes the first of `turns_key` out of it: their ids and when they expire, as `pick_random`, and their turns.
local function pick_first(turns_key, waiting_key, picks)
  local popped = redis.call('ZPOPMIN', turns_key, picks)
  if #popped == 0 then return popped end
  local ids = {}
  local turn_of = {}
  for i = 1, #popped, 2 do
    ids[#ids + 1] = popped[i]
    turn_of[popped[i]] = popped[i + 1]
  end
  local expiries = redis.call('ZMSCORE', waiting_key, unpack(ids))
  local found = {}
  for i, id in ipairs(ids) do
    found[2 * i - 1] = id
    found[2 * i] = expiries[i] or 0
  end
  return found, turn_of
end
