-- Stores results of one type and ends their claims; the first result of a task wins.
-- KEYS  running     hash    id -> running record
-- KEYS  claims      hash    of this owner: id -> input
-- KEYS  progress    hash    id -> "fraction message"
-- KEYS  tally       hash    as in parts/tally
-- KEYS  ended_done    list  as in parts/ended
-- KEYS  ended_failed  list
-- KEYS  results[]   string  result record
-- ARGV  owner       string
-- ARGV  channel     string  of finished tasks
-- ARGV  runs        string  what else is to be tallied, as "event count event ..."
-- ARGV  ids[]       string
-- ARGV  states[]    string  "done" | "failed"
-- ARGV  ttls_ms[]   digits
-- ARGV  bodies[]    string  JSON
-- returns  list: ids of late results that were kept: their claims had been lost, they may wait again
-- include running_record
-- include result_record
-- include tally
-- include ended
local call = redis.call
local held = call('HMGET', running, unpack(ids))
local mine = held_prefix(owner)
local late = {}
local kept = {}
local kept_by_state = { done = {}, failed = {} }
local ended = {}
for i, id in ipairs(ids) do
  local is_mine = is_held(held[i], mine)
  if is_mine then ended[#ended + 1] = id end
  if is_mine or states[i] == 'done' then
    local times, attempts
    if is_mine then times, attempts = read_times(held[i]) end
    local record = result_record(states[i], times, attempts, ttls_ms[i], bodies[i])
    if call('SET', results[i], record, 'PX', ttls_ms[i], 'NX') then
      kept[#kept + 1] = id
      local alike = kept_by_state[states[i]]
      alike[#alike + 1] = states[i] == 'failed' and told_of_end(id, record) or id
      if not is_mine then -- whoever holds or may claim it by now is to leave it
        late[#late + 1] = id
        ended[#ended + 1] = id
      end
    end
  end
end
call('HDEL', claims, unpack(ids))
if #ended > 0 then
  call('HDEL', running, unpack(ended))
  call('HDEL', progress, unpack(ended))
end
if #kept > 0 then call('PUBLISH', channel, table.concat(kept, ',')) end
note_ended(ended_done, kept_by_state.done)
note_ended(ended_failed, kept_by_state.failed)
local events = { done = #kept_by_state.done, failed = #kept_by_state.failed }
for event, by in runs:gmatch('(%S+) (%d+)') do events[event] = by end
tally_up(tally, events)
return late
