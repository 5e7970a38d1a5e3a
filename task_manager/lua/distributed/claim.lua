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
if not redis.call('ZSCORE', KEYS[1 + 6], owner) then return {} end
local t, reply = redis.call('TIME'), {}
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- Takes those of `ids` that are still wanted; tells whether one was that has to be alone.
local function take(k, task_type, ids)
  local run, held, gone, took_alone = {}, {}, {}, false
  for _, id in ipairs(ids) do
    local score, text = redis.call('ZSCORE', KEYS[k], id), redis.call('HGET', KEYS[k + 1], id)
    if not score or not text or tonumber(score) <= now then
      gone[#gone + 1] = id
    else
      local cut = text:find('\n', 1, true)
      local attempts, submitted = text:sub(1, cut - 1):match('^(%d+) (%d+)$')
      if attempts == '0' or #reply == 0 then
        took_alone, attempts = attempts ~= '0', attempts + 1
        gone[#gone + 1], run[#run + 1], held[#held + 1] = id, id, id
        run[#run + 1] = owner .. ' ' .. score .. ' ' .. submitted .. ' ' .. now .. ' ' .. attempts
        held[#held + 1] = text:sub(cut + 1)
        for _, part in ipairs({ id, task_type, attempts, held[#held] }) do reply[#reply + 1] = part end
        if took_alone then break end
      end
    end
  end
  if #gone > 0 then
    redis.call('ZREM', KEYS[k], unpack(gone))
    redis.call('HDEL', KEYS[k + 1], unpack(gone))
  end
  if #run > 0 then
    redis.call('HSET', KEYS[k + 2], unpack(run))
    redis.call('HSET', KEYS[k + 3], unpack(held))
    redis.call('PEXPIRE', KEYS[k + 2], keep_ms)
    redis.call('PEXPIRE', KEYS[k + 3], keep_ms)
  end
  return took_alone
end

for i = 5, #ARGV do
  local k = (i - 5) * 7 + 1
  local expired = redis.call('ZRANGEBYSCORE', KEYS[k], '-inf', now, 'LIMIT', 0, 1000)
  if #expired > 0 then
    redis.call('ZREM', KEYS[k], unpack(expired))
    redis.call('HDEL', KEYS[k + 1], unpack(expired))
  end
  local waiting = redis.call('ZCARD', KEYS[k])
  local taken, picks = #reply / 4, math.min(limit - #reply / 4, waiting - leave)
  if waiting == 0 then redis.call('DEL', KEYS[k + 5]) end
  local took_alone = false
  while picks > 0 and #reply == 0 do
    local id = redis.call('LPOP', KEYS[k + 4])
    if not id then break end
    took_alone = take(k, ARGV[i], { id })
  end
  picks = picks - (#reply / 4 - taken)
  if picks > 0 and not took_alone then
    took_alone = take(k, ARGV[i], redis.call('ZRANDMEMBER', KEYS[k], picks))
    if #reply == 0 then redis.call('RPUSH', KEYS[k + 5], 1) end -- all were expired: look again at once
  end
  if took_alone then break end
end
return reply
