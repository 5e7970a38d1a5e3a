-- Keeps tasks of one type alive, and tells how each is.
-- ARGV  input_ttl_ms  ms
-- ARGV  max_load      count
-- ARGV  askers        string  where the pick is fair: who submits, as lines of "tasks priority weight most client"
-- ARGV  texts[]       string  the inputs (canonical JSON)
-- returns  list: the load, then per task: its result record | "unreadable"
--          | "running " + record [+ "\n" + progress] | "waiting" | "overloaded"
--          | "full" where as many tasks of the client wait as may | "later" of which `known` tells
-- include known
-- include wake
-- include store
-- include purge_expired
-- include submissions
local kept_until_ms = now_ms + input_ttl_ms

purge_expired(waiting, inputs, turns, events)
remove_remains()

local reply = {}
for i = 1, #ids do
  reply[i + 1] = known(i, kept_until_ms)
  note_known(reply[i + 1])
end

local load = redis.call('HLEN', running) + waiting_count()
local created = 0
if pick == 'fair' then forget_gone(clients) end
local client_of, clients_here = clients_in(clients, askers)
local last_turn = pick == 'oldest' and redis.call('ZREVRANGE', turns, 0, 0, 'WITHSCORES')[2] or 0
-- After all that wait, even where the clock was set back.
local turn = math.max(time[1] * 1000000 + time[2], last_turn)
local head = '0 ' .. now_ms .. '\n'
for i, id in ipairs(ids) do
  if not reply[i + 1] then
    local is_counted = tonumber(redis.call('ZSCORE', waiting, id) or 0) > now_ms
    local is_there = is_counted and redis.call('HEXISTS', inputs, id) == 1
    if not is_counted and load >= max_load then
      reply[i + 1] = 'overloaded'
      refused = refused + 1
    elseif not is_counted and client_of[i] and is_full(client_of[i]) then
      reply[i + 1] = 'full'
      refused = refused + 1
    else
      redis.call('ZADD', waiting, 'GT', kept_until_ms, id)
      if not is_there then
        redis.call('HSET', inputs, id, head .. texts[i])
        created = created + 1
      end
      if pick == 'fair' then line_up(turns, client_of[i], id, is_counted) end
      if pick == 'oldest' and is_counted then redis.call('ZADD', turns, 'NX', turn + i, id) end -- in case it was lost
      if pick == 'oldest' and not is_counted then redis.call('ZADD', turns, turn + i, id) end
      if is_counted then
        joined = joined + 1
      else
        load = load + 1
        new = new + 1
      end
      reply[i + 1] = 'waiting'
    end
  end
end
keep_clients(clients, clients_here, kept_until_ms)
wake_workers(created)
extend({ turns, clients, wake }, kept_until_ms)
extend({ waiting, inputs }, kept_until_ms + COUNTED_WITHIN_MS)
tally_submissions()
reply[1] = load
return reply
