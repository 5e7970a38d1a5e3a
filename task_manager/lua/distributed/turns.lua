-- Whose turn it is, lowest first. `oldest`: in the order of arrival. `fair`: start-time fair queuing between
-- clients. Each client's tasks stand a step apart, and those of a new one begin right behind where claims have
-- come to, so that nobody waits behind all that another has submitted.
-- ARGV  pick  string  fair | oldest | random, which knows no turns
-- luacheck: push ignore 211
local PRIORITY = 1e15 -- turns between those of two priorities; a sorted set can tell 9e15 apart
local STEP = 1000 -- turns from one task of a client to the next where its weight is 1
local KEPT = 'kept ' -- and a client: a member by when the last of its waiting tasks expires, which is no turn
local MOST_FORGOTTEN = 1000 -- at once
-- luacheck: pop

-- The turn that was claimed last, of a priority.
local function turn_reached(clients_key, priority)
  return tonumber(redis.call('ZSCORE', clients_key, priority) or priority * PRIORITY)
end

-- Notes that the task of this turn, if it has one, is claimed.
local function note_reached(reached, turn)
  if not turn then return end
  local priority = math.floor(turn / PRIORITY)
  reached[priority] = math.max(reached[priority] or 0, turn)
end

-- Claims have come to these turns, by priority: clients whose next turn is not later are as good as new.
local function reach(clients_key, reached, kept_ms)
  for priority, turn in pairs(reached) do
    redis.call('ZREMRANGEBYSCORE', clients_key, priority * PRIORITY, turn)
    redis.call('ZADD', clients_key, 'GT', turn, priority)
  end
  if redis.call('PTTL', clients_key) == -1 then redis.call('PEXPIRE', clients_key, kept_ms) end
end

-- Forgets clients of whose tasks none can wait any more: they are as good as new.
local function forget_gone(clients_key)
  local gone = redis.call('ZRANGEBYSCORE', clients_key, 0, now_ms, 'LIMIT', 0, MOST_FORGOTTEN)
  for _, kept in ipairs(gone) do redis.call('ZREM', clients_key, kept, kept:sub(#KEPT + 1)) end
end

-- Forgets all clients, but not how far claims have come: tasks that run may come back with their turns.
local function forget_all(clients_key)
  local ttl_ms = redis.call('PTTL', clients_key)
  if ttl_ms <= 0 then return end
  local reached = redis.call('ZMSCORE', clients_key, 1, 2, 3, 4, 5)
  redis.call('UNLINK', clients_key)
  for priority = 1, 5 do
    if reached[priority] then redis.call('ZADD', clients_key, reached[priority], priority) end
  end
  redis.call('PEXPIRE', clients_key, ttl_ms)
end

-- The client of each task, and all of them by member; `told` has lines of "tasks priority weight most client".
local function clients_in(clients_key, told)
  local of_each = {}
  local by_member = {}
  for tasks, priority, weight, most, name in told:gmatch('(%d+) (%d) (%d+) (%d+) ([^\n]*)\n') do
    local member = priority .. ' ' .. name
    local client = by_member[member]
    if not client then
      local scores = redis.call('ZMSCORE', clients_key, member, priority)
      local reached = tonumber(scores[2] or priority * PRIORITY)
      client = { next_turn = math.max(scores[1] or 0, reached + 1) }
      client.step = math.max(1, math.floor(STEP / weight))
      -- Its tasks up to there were claimed; so many more may wait.
      client.last_turn = tonumber(most) > 0 and reached + most * client.step
      by_member[member] = client
    end
    for _ = 1, tasks do of_each[#of_each + 1] = client end
  end
  return of_each, by_member
end

-- Whether as many of its tasks wait as may.
local function is_full(client)
  return client.last_turn and client.next_turn > client.last_turn
end

-- Gives a task the next turn of its client, unless it waits already in an earlier one.
local function line_up(turns_key, client, id, waits)
  client.waits = true
  local found = waits and redis.call('ZADD', turns_key, 'LT', 'CH', client.next_turn, id)
    or redis.call('ZADD', turns_key, client.next_turn, id)
  if waits and found == 0 then return end
  client.next_turn = client.next_turn + client.step
  client.is_changed = true
end

-- Keeps what was changed, until the last of their tasks expires.
local function keep_clients(clients_key, by_member, kept_until_ms)
  for member, client in pairs(by_member) do
    if client.is_changed then redis.call('ZADD', clients_key, client.next_turn, member) end
    if client.waits then redis.call('ZADD', clients_key, 'GT', kept_until_ms, KEPT .. member) end
  end
end
