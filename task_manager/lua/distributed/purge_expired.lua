-- Waiting tasks that nobody asks for any more.
-- include clock
local MOST_PURGED = 1000 -- luacheck: ignore 211

-- Removes tasks of one type, whose keys these are; without `turns_key`, those that are out of the line.
local function remove(waiting_key, inputs_key, turns_key, gone)
  if #gone == 0 then return end
  redis.call('ZREM', waiting_key, unpack(gone))
  redis.call('HDEL', inputs_key, unpack(gone))
  if turns_key then redis.call('ZREM', turns_key, unpack(gone)) end
end

-- Removes those that have expired, and notes that among `events`.
local function purge_expired(waiting_key, inputs_key, turns_key, events)
  local expired = redis.call('ZRANGEBYSCORE', waiting_key, '-inf', now_ms, 'LIMIT', 0, MOST_PURGED)
  remove(waiting_key, inputs_key, turns_key, expired)
  if #expired > 0 then events.abandoned = (events.abandoned or 0) + #expired end
end
