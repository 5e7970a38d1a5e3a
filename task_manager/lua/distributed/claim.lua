-- Moves waiting tasks of some types to running, held by one owner: random ones, or those that came first.
-- KEYS[1+] 8 per type: waiting (zset), inputs (hash), running (hash), claims of this owner (hash),
--          retry (list: ids to be claimed alone, first), wake (list), owners (zset),
--          turns (zset: id by arrival, µs)
-- ARGV[1]  string  owner
-- ARGV[2]  count   limit
-- ARGV[3]  count   leave: waiting tasks to leave to others
-- ARGV[4]  ms      how long records of running tasks are kept without a renewal
-- ARGV[5]  0 or 1  by turn: the first of turns instead of random ones
-- ARGV[6]  0 or 1  suspects: also those to be claimed alone
-- ARGV[7+] string  the types; the first is served first
-- returns  per claim: id, type, attempts, input; nothing when the owner is not registered
local owner, limit, leave, keep_ms, call = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], redis.call
local by_turn = ARGV[5] == '1'
if not call('ZSCORE', KEYS[7], owner) then return {} end
local t, reply, suspects = call('TIME'), {}, ARGV[6] == '1'
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local tail = ' ' .. now .. ' '

-- Members and scores at random; of a long queue in runs of 16 neighbours, evenly spaced from a
-- random place, since each single pick would miss the processor's caches.
local function sample(waiting, size, picks)
  if size < 4 * picks then return call('ZRANDMEMBER', waiting, picks, 'WITHSCORES') end
  math.randomseed(t[2])
  local found, runs, most, first = {}, math.ceil(picks / 16), math.min(16, picks), math.random(0, size - 1)
  for run = 0, runs - 1 do
    local from = (first + run * math.floor(size / runs)) % (size - most + 1)
    local upto = from + math.min(most, picks - run * 16) - 1
    for _, part in ipairs(call('ZRANGE', waiting, from, upto, 'WITHSCORES')) do found[#found + 1] = part end
  end
  return found
end

-- Members of turns that came first, and when the interest in each ends.
local function oldest(waiting, turns, picks)
  local ids, found = call('ZRANGE', turns, 0, picks - 1), {}
  local ends = #ids > 0 and call('ZMSCORE', waiting, unpack(ids))
  for i, id in ipairs(ids) do found[2 * i - 1], found[2 * i] = id, ends[i] or 0 end
  return found
end

-- Takes up to `most` that are still wanted of `found`: ids, each with when its interest ends. Tells
-- whether one was that has to be alone.
local function take(k, task_type, found, most)
  local run, held, gone, ids, alone = {}, {}, {}, {}, false
  for j = 1, #found, 2 do ids[#ids + 1] = found[j] end
  if #ids == 0 then return false end
  local texts = call('HMGET', KEYS[k + 1], unpack(ids))
  local turns = by_turn and call('ZMSCORE', KEYS[k + 7], unpack(ids))
  for i, id in ipairs(ids) do
    local score, attempts, submitted, at = found[2 * i], (texts[i] or ''):match('^(%d+) (%d+)\n()')
    if not at or tonumber(score) <= now then
      gone[#gone + 1] = id
    elseif #run < most * 2 and not alone and (attempts == '0' or (suspects and #reply == 0)) then
      alone = attempts ~= '0'
      local input, n = texts[i]:sub(at), #run
      attempts = alone and tostring(attempts + 1) or '1'
      gone[#gone + 1], run[n + 1], held[n + 1], held[n + 2] = id, id, id, input
      run[n + 2] = ('%s %.0f %s%s%s'):format(owner, score, submitted, tail, attempts)
      if turns then run[n + 2] = ('%s %.0f'):format(run[n + 2], turns[i] or submitted * 1000) end
      n = #reply
      reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, task_type, attempts, input
    elseif attempts ~= '0' and call('EXISTS', KEYS[k + 4]) == 0 then -- the list was lost
      call('RPUSH', KEYS[k + 4], id)
      call('PEXPIREAT', KEYS[k + 4], ('%.0f'):format(score))
    end
  end
  if #gone > 0 then
    call('ZREM', KEYS[k], unpack(gone))
    call('HDEL', KEYS[k + 1], unpack(gone))
    call('ZREM', KEYS[k + 7], unpack(gone))
  end
  if #run > 0 then
    call('HSET', KEYS[k + 2], unpack(run))
    call('HSET', KEYS[k + 3], unpack(held))
    for _, key in ipairs({ KEYS[k + 2], KEYS[k + 3] }) do call('PEXPIRE', key, keep_ms) end
  end
  return alone
end

for i = 7, #ARGV do
  local k = (i - 7) * 8 + 1
  take(k, ARGV[i], call('ZRANGEBYSCORE', KEYS[k], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000), 0) -- purge expired
  local waiting, found, spare = call('ZCARD', KEYS[k]), {}, suspects and 0 or math.min(call('LLEN', KEYS[k + 4]), 100)
  local picks = math.min(limit - #reply / 4, waiting - leave)
  if waiting == 0 then call('DEL', KEYS[k + 5]) end
  local id = suspects and picks > 0 and #reply == 0 and call('LPOP', KEYS[k + 4])
  while id and #found == 0 do
    local attempts = (call('HGET', KEYS[k + 1], id) or '0'):sub(1, 1) -- '0': gone meanwhile, or new
    if attempts ~= '0' then found = { id, call('ZSCORE', KEYS[k], id) or 0 } else id = call('LPOP', KEYS[k + 4]) end
  end
  if picks > 0 and #found == 0 and by_turn then found = oldest(KEYS[k], KEYS[k + 7], picks + spare) end
  if picks > 0 and #found == 0 then found = sample(KEYS[k], waiting, picks + spare) end
  if take(k, ARGV[i], found, picks) then break end
  local again = picks > 0 and #reply == 0 and suspects and call('RPUSH', KEYS[k + 5], 1) -- all had expired: look again
  if again == 1 then call('PEXPIRE', KEYS[k + 5], keep_ms) end
end
return reply
