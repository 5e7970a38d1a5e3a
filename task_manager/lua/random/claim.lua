-- Moves random waiting tasks to running, held by one owner.
-- KEYS  retry         list    ids of waiting tasks to be claimed alone, first
-- KEYS  wake          list    a token for each idle worker to wake
-- KEYS  owners[]      zset    owner by the end of its lease, ms
-- KEYS  counts[]      hash    counts of waiting tasks, as in random/counted
-- KEYS  tally[]       hash    as in parts/tally
-- KEYS  paused[]      string  there while the type is paused
-- ARGV  main_db       int     where the script begins
-- ARGV  input_db      int
-- ARGV  owner         string
-- ARGV  limit         count
-- ARGV  leave         count   waiting tasks to leave to others
-- ARGV  input_prefix  string  what the pool's keys begin with, before the id
-- ARGV  suspects      flag    also those to be claimed alone
-- returns  list: per claim: id, queue, attempts, input; nothing when the owner is not registered
-- include clock
-- include counted
-- include pool_record
-- include begin_running
-- include tally
-- include waits
local SPARE_TRIES = 16 -- for unknown types or versions
local SPARE_TRIES_BESIDE_SUSPECTS = 64
local MOST_TRIES = 1000 -- while nothing is found, though some of ours wait
local call = redis.call
if not call('ZSCORE', owners[1], owner) then return reply end

local queues = {}
local own = 0 -- waiting tasks of ours, as counted
for i, name in ipairs(queue) do
  local epoch, total = unpack(call('HMGET', counts[i], 'epoch', 'total'))
  if call('EXISTS', paused[i]) == 0 then
    queues[name] = { place = i, epoch = epoch, records = {}, inputs = {}, gone = {}, events = {} }
    own = own + (tonumber(total or '') or 0)
  end
end

call('SELECT', input_db)
local waiting = call('DBSIZE')
local picks = math.min(limit, waiting - leave)

-- The pool's key of the suspect whose turn it is.
local function next_suspect()
  while true do
    call('SELECT', main_db)
    local id = call('LPOP', retry)
    call('SELECT', input_db)
    if not id then return nil end
    local first = call('GETRANGE', input_prefix .. id, 0, 0)
    if first ~= '' and first ~= '0' then return input_prefix .. id end -- else it is gone, or new
  end
end

local task = { owner = owner, started_ms = tostring(now_ms) }
local suspect_key = suspects and picks > 0 and next_suspect() or nil
local tries = 0
local most_tries = picks * 2 + (suspects and SPARE_TRIES or SPARE_TRIES_BESIDE_SUSPECTS)
local passed_over -- the key of a suspect that is not claimed now
local passed_over_ms
local is_of_others = false -- it came from the list, and is none of ours

while #reply < picks * 4 and (tries < most_tries or #reply == 0 and own > 0 and tries < MOST_TRIES) do
  tries = tries + 1
  local is_listed = suspect_key ~= nil
  local key = suspect_key or call('RANDOMKEY')
  suspect_key = nil
  if not key then break end
  local record = call('GET', key) or ''
  local left_ms = call('PTTL', key)
  local attempts, submitted, epoch, name, at = record:match('^(%d+) (%d+) (%d+) (%S+)\n()')
  local from = queues[name or '']
  local is_suspect = attempts ~= '0'
  local is_ours = from and left_ms > 0 and key:sub(1, #input_prefix) == input_prefix
  if is_ours and (not is_suspect or suspects and #reply == 0) then
    call('DEL', key)
    local second = expiry_second(left_ms)
    if epoch == from.epoch then from.gone[second] = (from.gone[second] or 0) + 1 end
    task.kept_until_ms = whole(second * 1000)
    task.submitted_ms = submitted
    task.attempts = is_suspect and tostring(attempts + 1) or '1'
    begin(from.place, from, key:sub(#input_prefix + 1), task, record:sub(at))
    note_begun(from.events, task.attempts, now_ms - submitted)
    if is_suspect then break end
  elseif left_ms > 0 and is_suspect and (from or is_listed) and not is_of_others then
    passed_over = key
    passed_over_ms = left_ms
    is_of_others = is_listed
  end
end
call('SELECT', main_db)

if waiting == 0 then call('DEL', wake) end
if passed_over and (is_of_others or call('EXISTS', retry) == 0) then -- else the list was lost
  call('RPUSH', retry, passed_over:sub(#input_prefix + 1))
  if call('PTTL', retry) < passed_over_ms then call('PEXPIRE', retry, passed_over_ms) end
end
for _, from in pairs(queues) do
  store(from.place, from)
  for second, by in pairs(from.gone) do count(counts[from.place], second, -by) end
  tally_up(tally[from.place], from.events)
end
return reply
