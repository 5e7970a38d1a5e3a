-- Cancels waiting tasks of one type, those first that expire first, as shared/cancel does one.
-- KEYS  ended_cancelled  list    as in parts/ended
-- ARGV  failure_ttl_ms   ms      how long they are known as cancelled
-- ARGV  channel          string  of finished tasks
-- ARGV  result_prefix    string  what the keys of results begin with, before the id
-- ARGV  most             count
-- returns  list: 1: there may be more | 0: none waits; then the ids of those that were cancelled
-- include result_record
-- include store
-- include tally
-- include ended
local MOST_BYTES = 4194304 -- of inputs, which are read with what is kept of their tasks
drop_expired()
local found = redis.call('ZRANGEBYSCORE', waiting, '(' .. now_ms, '+inf', 'LIMIT', 0, most)
local is_more = #found == most
local left_bytes = MOST_BYTES
local gone = {}
local ended = {}
local told = {}
for _, id in ipairs(found) do
  if left_bytes <= 0 then
    is_more = true
    break
  end
  local record = redis.call('HGET', inputs, id) or ''
  left_bytes = left_bytes - #record
  gone[#gone + 1] = id
  local attempts, submitted = read_waiting(record)
  if attempts then
    local result = result_record('cancelled', submitted .. ' 0', attempts, failure_ttl_ms, '')
    local is_first = redis.call('SET', result_prefix .. id, result, 'PX', failure_ttl_ms, 'NX')
    if is_first then
      ended[#ended + 1] = id
      told[#told + 1] = told_of_end(id, result)
    end
  end
end
remove(waiting, inputs, turns, gone)
if #ended > 0 then redis.call('PUBLISH', channel, table.concat(ended, ',')) end
note_ended(ended_cancelled, told)
tally_up(tally, { cancelled = #ended })
table.insert(ended, 1, is_more and 1 or 0)
return ended
