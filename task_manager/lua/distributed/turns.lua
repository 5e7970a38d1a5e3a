-- Whose turn it is, lowest first. `oldest`: in the order of arrival. `fair`: start-time fair queuing between
-- clients. Each client's tasks stand a step apart, and those of a new one begin where claims have come to, so
-- that nobody waits behind all that another has submitted.
-- ARGV  pick  string  fair | oldest | random, which knows no turns
-- luacheck: push ignore 211
local PRIORITY = 1e15 -- turns between those of two priorities; a sorted set can tell 9e15 apart
local STEP = 1000 -- turns from one task of a client to the next where its weight is 1
local MOST_CLIENTS_MORE = 1000 -- than tasks that wait or run
local MOST_FORGOTTEN = 100 -- at once
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

-- The client of each task, and all of them by member; `told` has lines of "tasks priority weight client".
local function clients_in(clients_key, told)
  local of_each = {}
  local by_member = {}
  for tasks, priority, weight, name in told:gmatch('(%d+) (%d) (%d+) ([^\n]*)\n') do
    local member = priority .. ' ' .. name
    local client = by_member[member]
    if not client then
      local scores = redis.call('ZMSCORE', clients_key, member, priority)
      local reached = tonumber(scores[2] or priority * PRIORITY)
      client = { next_turn = math.max(scores[1] or 0, reached) }
      client.step = math.max(1, math.floor(STEP / weight))
      by_member[member] = client
    end
    for _ = 1, tasks do of_each[#of_each + 1] = client end
  end
  return of_each, by_member
end

-- Gives a task the next turn of its client, unless it waits already in an earlier one.
local function line_up(turns_key, client, id, waits)
  local found = waits and redis.call('ZADD', turns_key, 'LT', 'CH', client.next_turn, id)
    or redis.call('ZADD', turns_key, client.next_turn, id)
  if waits and found == 0 then return end
  client.next_turn = client.next_turn + client.step
  client.is_changed = true
end

-- Keeps what was changed. Where there are more clients than tasks could wait for, those that are nearest to be
-- as good as new are forgotten: nobody claims, and all that they submitted has expired.
local function keep_clients(clients_key, by_member, load)
  local is_changed = false
  for member, client in pairs(by_member) do
    if client.is_changed then redis.call('ZADD', clients_key, client.next_turn, member) end
    is_changed = is_changed or client.is_changed
  end
  if not is_changed then return end
  if redis.call('ZCARD', clients_key) <= load + MOST_CLIENTS_MORE then return end
  for _, member in ipairs(redis.call('ZRANGE', clients_key, 0, MOST_FORGOTTEN)) do
    if member:find(' ') then redis.call('ZREM', clients_key, member) end
  end
end
