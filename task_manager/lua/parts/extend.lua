-- include clock
-- Keys of waiting tasks outlive these, so that those that expired are counted: workers look once a second.
local COUNTED_WITHIN_MS = 5000 -- luacheck: ignore 211

-- Keeps the keys until then at least; others may want them for longer.
local function extend(keys, until_ms)
  for _, key in ipairs(keys) do
    if redis.call('PTTL', key) < until_ms - now_ms then redis.call('PEXPIREAT', key, until_ms) end
  end
end
