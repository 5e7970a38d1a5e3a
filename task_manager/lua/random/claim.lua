-- Moves random waiting tasks to running, held by one owner.
-- KEYS[1]  list    retry: ids of waiting tasks to be claimed alone, first
-- KEYS[2]  list    wake: a token for each worker to wake
-- KEYS[3]  zset    owners of the first type: owner by the end of its lease, ms
-- KEYS[4+] hash    for each type: running, claims of this owner, wanted
-- ARGV[1]  int     main database
-- ARGV[2]  int     input database
-- ARGV[3]  string  owner
-- ARGV[4]  count   limit
-- ARGV[5]  count   leave: waiting tasks to leave to others
-- ARGV[6]  ms      how long records of running tasks are kept without a renewal
-- ARGV[7]  string  what input keys begin with, before the id
-- ARGV[8]  0 or 1  suspects: also those to be claimed alone
-- ARGV[9+] string  the types and versions
-- returns  per claim: id, type, attempts, input; nothing when the owner is not registered
local retry, wake, owners, call = KEYS[1], KEYS[2], KEYS[3], redis.call
local main_db, input_db, owner, keep_ms, input_prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local limit, leave, suspects = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[8] == '1'
if not call('ZSCORE', owners, owner) then return {} end
local t, types, reply, own = call('TIME'), {}, {}, 0
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 9, #ARGV do
  local k = 4 + (i - 9) * 3
  types[ARGV[i]] = { running = KEYS[k], claims = KEYS[k + 1], wanted = KEYS[k + 2], run = {}, held = {}, left = {} }
  local counts = call('HMGET', KEYS[k + 2], 'epoch', 'total')
  types[ARGV[i]].epoch, own = counts[1], own + (tonumber(counts[2] or '') or 0)
end
call('SELECT', input_db)
local waiting = call('DBSIZE')
call('SELECT', main_db)
local picks, tries, first_key, later, later_ms, not_mine = math.min(limit, waiting - leave), 0, nil, nil, nil, false
while suspects and picks > 0 and not first_key do
  local id = call('LPOP', retry)
  if not id then break end
  call('SELECT', input_db)
  local attempts = call('GETRANGE', input_prefix .. id, 0, 0)
  if attempts ~= '' and attempts ~= '0' then first_key = input_prefix .. id end -- else it is gone, or new
  call('SELECT', main_db)
end

call('SELECT', input_db)
local ends_at, heads, tail = picks * 2 + (suspects and 16 or 64), {}, ' ' .. now .. ' '
-- Some tries meet unknown types or versions, or suspects.
while #reply < picks * 4 and (tries < ends_at or #reply == 0 and own > 0 and tries < 1000) do
  tries = tries + 1
  local key, is_first = first_key or call('RANDOMKEY'), first_key ~= nil
  first_key = nil
  if not key then break end
  local text, left = call('GET', key), call('PTTL', key)
  local attempts, submitted, since, name, at = (text or ''):match('^(%d+) (%d+) (%d+) (%S+)\n()')
  local kind, alone = types[name or ''], attempts ~= '0'
  if kind and left > 0 and (not alone or suspects and #reply == 0) and key:sub(1, #input_prefix) == input_prefix then
    call('DEL', key)
    local id, input, second = key:sub(#input_prefix + 1), text:sub(at), math.floor((now + left) / 1000 + 0.5)
    heads[second] = heads[second] or owner .. ' ' .. second * 1000 .. ' '
    attempts = alone and tostring(attempts + 1) or '1'
    local run, held, n = kind.run, kind.held, #kind.run
    run[n + 1], run[n + 2] = id, heads[second] .. submitted .. tail .. attempts
    held[n + 1], held[n + 2] = id, input
    if since == kind.epoch then kind.left[second] = (kind.left[second] or 0) + 1 end
    n = #reply
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = id, name, attempts, input
    if alone then break end
  elseif left > 0 and alone and (kind or is_first) and not not_mine then
    later, later_ms, not_mine = key:sub(#input_prefix + 1), left, is_first
  end
end
call('SELECT', main_db)

if waiting == 0 then call('DEL', wake) end
if later and (not_mine or call('EXISTS', retry) == 0) then -- it is another's, or the list was lost
  call('RPUSH', retry, later)
  if call('PTTL', retry) < later_ms then call('PEXPIRE', retry, later_ms) end
end
for _, kind in pairs(types) do
  if #kind.run > 0 then
    call('HSET', kind.running, unpack(kind.run))
    call('HSET', kind.claims, unpack(kind.held))
    call('PEXPIRE', kind.running, keep_ms)
    call('PEXPIRE', kind.claims, keep_ms)
    for second, by in pairs(kind.left) do
      call('HINCRBY', kind.wanted, second, -by)
      call('HINCRBY', kind.wanted, 'total', -by)
    end
  end
end
return reply
