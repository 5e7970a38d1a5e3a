-- Counts requests of one client, for all servers: the generic cell rate algorithm (ITU-T I.371).
-- KEYS  rate         string  when its requests so far would have come, had they come evenly, µs
-- ARGV  interval_us  count   of one request, µs
-- ARGV  burst_us     count   how much of that may be ahead of now, µs; at least one interval
-- ARGV  wanted       count   requests
-- returns  list: how many of them are granted | µs until there is one, where none is
-- include clock
local now_us = time[1] * 1000000 + time[2]
-- No later than a grant makes it: else a clock that was put back would refuse until it is there again.
local due_us = math.min(math.max(tonumber(redis.call('GET', rate)) or 0, now_us), now_us + burst_us)
local free_us = now_us + burst_us - due_us
local granted = math.min(wanted, math.floor(free_us / interval_us))
if granted < 1 then return { 0, math.ceil(interval_us - free_us) } end
local until_us = due_us + granted * interval_us
redis.call('SET', rate, ('%.0f'):format(until_us), 'PX', math.ceil((until_us - now_us) / 1000))
return { granted, 0 }
