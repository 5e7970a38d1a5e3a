-- Lists waiting tasks of one type, those first whose turn is next; by when they expire where turns are picked
-- at random. Inputs that are long are not read, so of some tasks it is not told when they came.
-- KEYS  waiting    zset    id by when it expires, ms
-- KEYS  inputs     hash    id -> waiting record
-- KEYS  turns      zset    id by its turn
-- ARGV  id_prefix  string  only tasks whose ids begin so
-- ARGV  limit      count
-- ARGV  after_turn string  only those behind a task of this turn; '': from the first on
-- ARGV  after_id   string  and of this id
-- returns  list: 1: there may be more | 0: these are the last; the turn and id of the last that was looked at; then
--          per task: id, turn, "attempts submitted_ms", or '' where that is not known
-- include clock
-- include waiting_record
-- include turns
local MOST_LOOKED_AT = 1000
local MOST_BYTES = 4194304 -- of inputs, which are read with what is told of their tasks

-- How many stand in the line up to there; of those of the same turn, the ids are in order.
local function place_behind(line, turn, id)
  local low = redis.call('ZCOUNT', line, '-inf', '(' .. turn)
  local high = redis.call('ZCOUNT', line, '-inf', turn)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if redis.call('ZRANGE', line, middle, middle)[1] <= id then low = middle + 1 else high = middle end
  end
  return low
end

local left_bytes = MOST_BYTES

-- What is told of a waiting task; nil where its input is lost.
local function told_of(id)
  local length = redis.call('HSTRLEN', inputs, id)
  if length == 0 then return nil end
  if length > left_bytes then return '' end
  left_bytes = left_bytes - length
  local attempts, submitted = read_waiting(redis.call('HGET', inputs, id))
  return attempts and attempts .. ' ' .. submitted
end

local line = pick == 'random' and waiting or turns
local first = after_turn == '' and 0 or place_behind(line, after_turn, after_id)
local looked = redis.call('ZRANGE', line, first, first + MOST_LOOKED_AT - 1, 'WITHSCORES')
local reply = { #looked == 2 * MOST_LOOKED_AT and 1 or 0, '', '' }
for i = 1, #looked, 2 do
  local id = looked[i]
  if #reply >= 3 + 3 * limit then
    reply[1] = 1
    break
  end
  reply[2] = looked[i + 1]
  reply[3] = id
  local is_asked_for = id:sub(1, #id_prefix) == id_prefix
  local expires_ms = is_asked_for and redis.call('ZSCORE', waiting, id)
  local told = expires_ms and tonumber(expires_ms) > now_ms and told_of(id)
  if told then
    local n = #reply
    reply[n + 1] = id
    reply[n + 2] = looked[i + 1]
    reply[n + 3] = told
  end
end
return reply
