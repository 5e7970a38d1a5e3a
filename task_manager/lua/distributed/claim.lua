-- Moves waiting tasks of some types to running, held by one owner: random ones, or those whose turn it is.
-- KEYS  owners[]   zset    owner by the end of its lease, ms
-- KEYS  waiting[]  zset    id by when it expires, ms
-- KEYS  inputs[]   hash    id -> waiting record
-- KEYS  retry[]    list    ids to be claimed alone, first
-- KEYS  wake[]     list    a token for each idle worker to wake
-- KEYS  turns[]    zset    id by its turn
-- KEYS  clients[]  zset    as in `store`
-- KEYS  tally[]    hash    as in parts/tally
-- KEYS  paused[]   string  there while the type is paused
-- ARGV  owner      string
-- ARGV  limit      count
-- ARGV  leave      count   waiting tasks to leave to others
-- ARGV  suspects   flag    also those to be claimed alone
-- The first of the types is served first.
-- returns  list: per claim: id, type, attempts, input; nothing when the owner is not registered
-- include clock
-- include begin_running
-- include waiting_record
-- include purge_expired
-- include pick_random
-- include pick_first
-- include turns
-- include tally
-- include waits
local MOST_PASSED_OVER = 100 -- suspects that a claim without them passes over
local call = redis.call
if not call('ZSCORE', owners[1], owner) then return reply end

-- The suspect whose turn it is and when it expires, as `pick_random`.
local function next_suspect(place)
  while true do
    local id = call('LPOP', retry[place])
    if not id then return {} end
    local first = (call('HGET', inputs[place], id) or '0'):sub(1, 1)
    if first ~= '0' then return { id, call('ZSCORE', waiting[place], id) or 0 } end -- else it is gone, or new
  end
end

-- Keeps a suspect that is not claimed now on the list, which was lost.
local function list_again(place, id, expires_ms)
  if call('EXISTS', retry[place]) == 1 then return end
  call('RPUSH', retry[place], id)
  call('PEXPIREAT', retry[place], ('%.0f'):format(expires_ms))
end

-- Their turns by id, of tasks that stand in line still.
local function turns_of(place, ids)
  local found = {}
  if pick == 'random' then return found end
  for i, turn in ipairs(call('ZMSCORE', turns[place], unpack(ids))) do found[ids[i]] = turn end
  return found
end

-- Claims up to `most` of `found`, ids and when they expire; where they were taken out of the line, `turn_of` has
-- their turns. Notes that among `events`, and tells whether it is one that has to be alone.
local function take(place, found, most, turn_of, events)
  if #found == 0 then return false end
  local ids = {}
  for j = 1, #found, 2 do ids[#ids + 1] = found[j] end
  local records = call('HMGET', inputs[place], unpack(ids))
  local left = {} -- who are in line again
  local is_in_line = not turn_of
  turn_of = turn_of or turns_of(place, ids)
  local gone = {}
  local taken = 0
  local reached = {}
  local is_alone = false
  local task = { owner = owner, started_ms = tostring(now_ms) }
  local begun = { records = {}, inputs = {} }
  for i, id in ipairs(ids) do
    local expires_ms = tonumber(found[2 * i])
    local attempts, submitted, input = read_waiting(records[i] or '')
    local is_suspect = attempts ~= '0'
    if not attempts or expires_ms <= now_ms then
      gone[#gone + 1] = id
      if attempts then events.abandoned = (events.abandoned or 0) + 1 end
    elseif taken < most and not is_alone and (not is_suspect or (suspects and #reply == 0)) then
      is_alone = is_suspect
      gone[#gone + 1] = id
      taken = taken + 1
      task.kept_until_ms = whole(expires_ms)
      task.submitted_ms = submitted
      task.attempts = is_suspect and tostring(attempts + 1) or '1'
      task.turn = tonumber(turn_of[id] or pick == 'oldest' and submitted * 1000 or nil)
      note_reached(reached, task.turn)
      begin(place, begun, id, task, input)
      note_begun(events, task.attempts, now_ms - submitted)
    else
      left[#left + 1] = turn_of[id]
      left[#left + 1] = id
      if is_suspect then list_again(place, id, expires_ms) end
    end
  end
  remove(waiting[place], inputs[place], is_in_line and turns[place], gone)
  if not is_in_line and #left > 0 then
    call('ZADD', turns[place], unpack(left))
    call('PEXPIRE', turns[place], call('PTTL', waiting[place])) -- it may be another key now
  end
  store(place, begun)
  if pick == 'fair' then reach(clients[place], reached, keep_ms) end
  return is_alone
end

for place = 1, #queue do
  local events = {}
  purge_expired(waiting[place], inputs[place], turns[place], events)
  local size = call('ZCARD', waiting[place])
  if size == 0 then call('DEL', wake[place]) end
  if size > 0 and call('EXISTS', paused[place]) == 1 then size = 0 end
  local picks = math.min(limit - #reply / 4, size - leave)
  local is_alone = false
  if picks > 0 then
    local found = suspects and #reply == 0 and next_suspect(place) or {}
    local spare = suspects and 0 or math.min(call('LLEN', retry[place]), MOST_PASSED_OVER)
    local turn_of
    if #found == 0 and pick ~= 'random' then
      found, turn_of = pick_first(turns[place], waiting[place], picks + spare)
    end
    if #found == 0 then found = pick_random(waiting[place], size, picks + spare) end
    is_alone = take(place, found, picks, turn_of, events)
    if #reply == 0 and suspects then -- all had expired: look again
      call('RPUSH', wake[place], 1)
      call('PEXPIRE', wake[place], keep_ms)
    end
  end
  tally_up(tally[place], events)
  if is_alone then break end
end
return reply
