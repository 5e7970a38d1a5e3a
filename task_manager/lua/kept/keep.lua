-- Has tasks kept: each has an entry, made once however often it is asked for, until it is over.
-- KEYS  kept           zset    entry by when it is to be looked at next, ms
-- KEYS  kept_clients   hash    entry → client whose it is
-- KEYS  kept_counts    hash    client → how many entries are its own
-- KEYS  entries[]      hash    record, text, state, until_ms, taker, taken_until_ms; told_ms; failed:
--                               "1" where its end could not be told yet; again: "1" where it was kept
--                               once more since it was taken
-- ARGV  most           count   of entries that there may be
-- ARGV  keep_ms        ms      how long from now
-- ARGV  client         string  who wants these
-- ARGV  ids[]          string  of the entries
-- ARGV  records[]      string  JSON: what is kept
-- ARGV  texts[]        string  the tasks' inputs
-- ARGV  looks_ms[]     ms      in how long each is looked at first
-- ARGV  finished_ms[]  string  when the task finished; "0": it has not
-- returns  int: how many are new | nothing changed, -1: there are too many, -2: the client has too many
-- include extend
local MORE_MS = 60000 -- until somebody looks at it once more
local until_ms = now_ms + keep_ms
local fresh = {}
local known = {}
for i = 1, #ids do
  local is_there = redis.call('HGET', entries[i], 'record')
  local told_ms = redis.call('HGET', entries[i], 'told_ms')
  if is_there then
    known[#known + 1] = i
  elseif finished_ms[i] == '0' or told_ms ~= finished_ms[i] then
    fresh[#fresh + 1] = i
  end
end
if #fresh > 0 then
  local left = most - redis.call('ZCARD', kept) - #fresh
  local own = tonumber(redis.call('HGET', kept_counts, client) or 0) + #fresh
  if left < 0 then return -1 end
  if own > math.max(1, left) then return -2 end
  redis.call('HINCRBY', kept_counts, client, #fresh)
end
for _, i in ipairs(known) do
  if finished_ms[i] == '0' then -- it may run anew, and nobody else looks after it
    local found = redis.call('HMGET', entries[i], 'failed', 'taken_until_ms')
    if tonumber(found[2] or 0) > now_ms then
      redis.call('HSET', entries[i], 'again', '1')
    elseif found[1] == '1' then
      redis.call('ZADD', kept, 'LT', now_ms + looks_ms[i], ids[i])
    end
  end
  if tonumber(redis.call('HGET', entries[i], 'until_ms')) < until_ms then
    redis.call('HSET', entries[i], 'until_ms', until_ms)
    extend({ entries[i] }, until_ms + MORE_MS)
  end
end
for _, i in ipairs(fresh) do
  redis.call('HSET', entries[i], 'record', records[i], 'text', texts[i], 'until_ms', until_ms)
  redis.call('PEXPIREAT', entries[i], until_ms + MORE_MS)
  redis.call('ZADD', kept, now_ms + looks_ms[i], ids[i])
  redis.call('HSET', kept_clients, ids[i], client)
end
if redis.call('ZCARD', kept) > 0 then extend({ kept, kept_clients, kept_counts }, until_ms + MORE_MS) end
return #fresh
