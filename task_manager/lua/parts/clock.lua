-- Redis' own clock, which decides everywhere.
local time = redis.call('TIME') -- s, µs of that second
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000) -- luacheck: ignore 211
