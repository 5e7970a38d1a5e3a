-- Moves random waiting tasks of some types to running, held by one owner.
-- KEYS[1+] 7 per type: waiting (zset), inputs (hash), running (hash), claims of this owner (hash),
--          retry (list: ids to be claimed alone, first), wake (list), owners (zset)
-- ARGV[1]  string  owner
-- ARGV[2]  count   limit
-- ARGV[3]  count   leave: waiting tasks to leave to others
-- ARGV[4]  ms      how long records of running tasks are kept without a renewal
-- ARGV[5+] string  the types; the first is served first
-- returns  per claim: id, type, attempts, input; nothing when the owner is not registered
local owner, limit, leave, keep_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local call = redis.call
if not call('ZSCORE', KEYS[7], owner) then return {} end
local t, reply = call('TIME'), {}
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local tail = ' ' .. now .. ' '

-- Takes those of `ids` that are still wanted; tells whether one was that has to be alone.
local function take(k, task_type, ids, scores)
  local run, held, gone, alone = {}, {}, {}, false
  local texts = #ids > 0 and call('HMGET', KEYS[k + 1], unpack(ids))
  for i, id in ipairs(ids) do
    local score, attempts, submitted, at = scores[i], (texts[i] or ''):match('^(%d+) (%d+)\n()')
    if not at or not score or tonumber(score) <= now then
      gone[#gone + 1] = id
    elseif attempts == '0' or #reply == 0 then
      alone = attempts ~= '0'
      local input, n = texts[i]:sub(at), #run
      attempts = alone and tostring(attempts + 1) or '1'
      gone[#gone + 1], run[n + 1], held[n + 1], held[n + 2] = id, id, id, input
      run[n + 2], n = owner .. ' ' .. score .. ' ' .. submitted .. tail .. attempts, #reply
      reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, task_type, attempts, input
      if alone then break end
    end
  end
  if #gone > 0 then
    call('ZREM', KEYS[k], unpack(gone))
    call('HDEL', KEYS[k + 1], unpack(gone))
  end
  if #run > 0 then
    call('HSET', KEYS[k + 2], unpack(run))
    call('HSET', KEYS[k + 3], unpack(held))
    call('PEXPIRE', KEYS[k + 2], keep_ms)
    call('PEXPIRE', KEYS[k + 3], keep_ms)
  end
  return alone
end

for i = 5, #ARGV do
  local k = (i - 5) * 7 + 1
  local expired = call('ZRANGEBYSCORE', KEYS[k], '-inf', now, 'LIMIT', 0, 1000)
  take(k, ARGV[i], expired, {})
  local waiting, taken, took_alone = call('ZCARD', KEYS[k]), #reply / 4, false
  local picks = math.min(limit - taken, waiting - leave)
  if waiting == 0 then call('DEL', KEYS[k + 5]) end
  while picks > 0 and #reply == 0 do
    local id = call('LPOP', KEYS[k + 4])
    if not id then break end
    if (call('HGET', KEYS[k + 1], id) or '0'):sub(1, 1) ~= '0' then -- else it is gone, or new
      took_alone = take(k, ARGV[i], { id }, { call('ZSCORE', KEYS[k], id) })
    end
  end
  picks = picks - (#reply / 4 - taken)
  if picks > 0 and not took_alone then
    local ids, scores, pairs_of = {}, {}, call('ZRANDMEMBER', KEYS[k], picks, 'WITHSCORES')
    for j = 1, #pairs_of, 2 do ids[#ids + 1], scores[#scores + 1] = pairs_of[j], pairs_of[j + 1] end
    took_alone = take(k, ARGV[i], ids, scores)
    if #reply == 0 then call('RPUSH', KEYS[k + 5], 1) end -- all had expired: look again at once
  end
  if took_alone then break end
end
return reply
