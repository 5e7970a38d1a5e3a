-- Moves waiting tasks of some types to running, held by one owner: random ones, or those that came first.
-- KEYS  owners[]   zset    owner by the end of its lease, ms
-- KEYS  waiting[]  zset    id by when it expires, ms
-- KEYS  inputs[]   hash    id -> waiting record
-- KEYS  retry[]    list    ids to be claimed alone, first
-- KEYS  wake[]     list    a token for each idle worker to wake
-- KEYS  turns[]    zset    id by arrival, µs
-- ARGV  owner      string
-- ARGV  limit      count
-- ARGV  leave      count   waiting tasks to leave to others
-- ARGV  by_turn    flag    the first of turns instead of random ones
-- ARGV  suspects   flag    also those to be claimed alone
-- The first of the types is served first.
-- returns  list: per claim: id, type, attempts, input; nothing when the owner is not registered
-- include clock
-- include begin_running
-- include waiting_record
local MOST_PURGED = 1000
local MOST_PASSED_OVER = 100 -- suspects that a claim without them passes over
local NEIGHBOURS = 16
local call = redis.call
if not call('ZSCORE', owners[1], owner) then return reply end

-- Ids and when they expire, at random; of a long queue in runs of neighbours, evenly spaced from a
-- random place, since each single pick would miss the processor's caches.
local function sample(type, size, picks)
  if size < 4 * picks then return call('ZRANDMEMBER', waiting[type], picks, 'WITHSCORES') end
  math.randomseed(time[2])
  local found = {}
  local runs = math.ceil(picks / NEIGHBOURS)
  local most = math.min(NEIGHBOURS, picks)
  local first = math.random(0, size - 1)
  for run = 0, runs - 1 do
    local from = (first + run * math.floor(size / runs)) % (size - most + 1)
    local upto = from + math.min(most, picks - run * NEIGHBOURS) - 1
    for _, part in ipairs(call('ZRANGE', waiting[type], from, upto, 'WITHSCORES')) do found[#found + 1] = part end
  end
  return found
end

-- Ids that came first and when they expire, as `sample`.
local function oldest(type, picks)
  local ids = call('ZRANGE', turns[type], 0, picks - 1)
  local expiries = #ids > 0 and call('ZMSCORE', waiting[type], unpack(ids))
  local found = {}
  for i, id in ipairs(ids) do
    found[2 * i - 1] = id
    found[2 * i] = expiries[i] or 0
  end
  return found
end

-- The suspect whose turn it is and when it expires, as `sample`.
local function next_suspect(type)
  while true do
    local id = call('LPOP', retry[type])
    if not id then return {} end
    local first = (call('HGET', inputs[type], id) or '0'):sub(1, 1)
    if first ~= '0' then return { id, call('ZSCORE', waiting[type], id) or 0 } end -- else it is gone, or new
  end
end

local function remove(type, ids)
  if #ids == 0 then return end
  call('ZREM', waiting[type], unpack(ids))
  call('HDEL', inputs[type], unpack(ids))
  call('ZREM', turns[type], unpack(ids))
end

-- Removes tasks that have expired.
local function purge(type)
  remove(type, call('ZRANGEBYSCORE', waiting[type], '-inf', now_ms, 'LIMIT', 0, MOST_PURGED))
end

-- Keeps a suspect that is not claimed now on the list, which was lost.
local function list_again(type, id, expires_ms)
  if call('EXISTS', retry[type]) == 1 then return end
  call('RPUSH', retry[type], id)
  call('PEXPIREAT', retry[type], ('%.0f'):format(expires_ms))
end

-- Claims up to `most` of `found`, ids and when they expire. Tells whether it is one that has to be alone.
local function take(type, found, most)
  if #found == 0 then return false end
  local ids = {}
  for j = 1, #found, 2 do ids[#ids + 1] = found[j] end
  local records = call('HMGET', inputs[type], unpack(ids))
  local places = by_turn and call('ZMSCORE', turns[type], unpack(ids))
  local gone = {}
  local taken = 0
  local is_alone = false
  local task = { owner = owner, started_ms = tostring(now_ms) }
  local begun = { records = {}, inputs = {} }
  for i, id in ipairs(ids) do
    local expires_ms = tonumber(found[2 * i])
    local attempts, submitted, input = read_waiting(records[i] or '')
    local is_suspect = attempts ~= '0'
    if not attempts or expires_ms <= now_ms then
      gone[#gone + 1] = id
    elseif taken < most and not is_alone and (not is_suspect or (suspects and #reply == 0)) then
      is_alone = is_suspect
      gone[#gone + 1] = id
      taken = taken + 1
      task.kept_until_ms = whole(expires_ms)
      task.submitted_ms = submitted
      task.attempts = is_suspect and tostring(attempts + 1) or '1'
      task.turn = by_turn and (places[i] or submitted * 1000)
      begin(type, begun, id, task, input)
    elseif is_suspect then
      list_again(type, id, expires_ms)
    end
  end
  remove(type, gone)
  store(type, begun)
  return is_alone
end

for type = 1, #queue do
  purge(type)
  local size = call('ZCARD', waiting[type])
  if size == 0 then call('DEL', wake[type]) end
  local picks = math.min(limit - #reply / 4, size - leave)
  if picks > 0 then
    local found = suspects and #reply == 0 and next_suspect(type) or {}
    local spare = suspects and 0 or math.min(call('LLEN', retry[type]), MOST_PASSED_OVER)
    if #found == 0 and by_turn then found = oldest(type, picks + spare) end
    if #found == 0 then found = sample(type, size, picks + spare) end
    if take(type, found, picks) then break end
    if #reply == 0 and suspects then -- all had expired: look again
      call('RPUSH', wake[type], 1)
      call('PEXPIRE', wake[type], keep_ms)
    end
  end
end
return reply
