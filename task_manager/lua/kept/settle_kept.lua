-- Gives entries of kept tasks back, or ends them, where whoever took them holds them still.
-- KEYS  kept         zset    entry by when it is to be looked at next, ms
-- KEYS  entries[]    hash    as in keep
-- ARGV  ids[]        string  of the entries
-- ARGV  takers[]     string  who took each
-- ARGV  states[]     string  how far each is
-- ARGV  pauses_ms[]  int     in how long it is due again; -1: it is over
-- ARGV  keeps_ms[]   int     how long it is kept from now on; 0: as before; if it is over: not at all
-- ARGV  told_ms[]    string  when it finished what was told
-- returns  int: how many were held still
-- include extend
-- include kept_clients
local MORE_MS = 60000 -- until somebody looks at it once more
local AGAIN_MS = 1000 -- until that is, where it was kept once more meanwhile
local settled = 0
for i, id in ipairs(ids) do
  local key = entries[i]
  local held = redis.call('HMGET', key, 'taker', 'again')
  if held[1] == takers[i] then
    settled = settled + 1
    local is_again = held[2] == '1'
    if pauses_ms[i] >= 0 then
      local failed = keeps_ms[i] > 0 and '1' or '0'
      redis.call('HSET', key, 'state', states[i], 'taken_until_ms', 0, 'failed', failed)
      redis.call('HDEL', key, 'taker')
      local pause_ms = is_again and math.min(pauses_ms[i], AGAIN_MS) or pauses_ms[i]
      redis.call('ZADD', kept, now_ms + pause_ms, id)
      if keeps_ms[i] > 0 then
        redis.call('HSET', key, 'until_ms', now_ms + keeps_ms[i])
        redis.call('PEXPIRE', key, keeps_ms[i] + MORE_MS)
        extend({ kept, kept_clients, kept_counts }, now_ms + keeps_ms[i] + MORE_MS)
      end
    elseif is_again then -- perhaps it runs anew
      redis.call('HSET', key, 'state', '', 'taken_until_ms', 0, 'failed', '0', 'told_ms', told_ms[i])
      redis.call('HDEL', key, 'taker')
      redis.call('ZADD', kept, now_ms + AGAIN_MS, id)
    else
      leave(id)
      redis.call('UNLINK', key)
      if keeps_ms[i] > 0 then
        redis.call('HSET', key, 'told_ms', told_ms[i])
        redis.call('PEXPIRE', key, keeps_ms[i])
      end
    end
  end
end
return settled
