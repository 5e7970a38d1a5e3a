-- Stores results of one type and ends their claims; the first result of a task wins.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    claims of this owner: id -> input
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4+] string  the results' keys
-- ARGV[1]  string  owner
-- ARGV[2]  string  channel of finished tasks
-- ARGV[3+] per result: id, state ("done" | "failed"), ttl (ms), body (JSON)
-- returns  ids of late results that were kept: their claims had been lost, they may wait again
local running, claims, progress, call = KEYS[1], KEYS[2], KEYS[3], redis.call
local owner, channel = ARGV[1], ARGV[2]
local mine, ids, late, kept, ended, ends, t = owner .. ' ', {}, {}, {}, {}, {}, call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local now_text = ' ' .. now .. ' '
for i = 1, #KEYS - 3 do ids[i] = ARGV[4 * i - 1] end
local held = call('HMGET', running, unpack(ids))
for i, id in ipairs(ids) do
  local state, ttl_ms, body = ARGV[4 * i], ARGV[4 * i + 1], ARGV[4 * i + 2]
  local is_mine = held[i] and held[i]:sub(1, #mine) == mine
  if is_mine then ended[#ended + 1] = id end
  if is_mine or state == 'done' then
    local began, attempts = '0 0', '0'
    if is_mine then began, attempts = held[i]:match('^%S+ %d+ (%d+ %d+) (%d+)') end
    if not began then began, attempts = '0 0', '0' end -- not known any more
    ends[ttl_ms] = ends[ttl_ms] or ' ' .. now + ttl_ms .. '\n'
    local record = state .. ' ' .. began .. now_text .. attempts .. ends[ttl_ms] .. body
    if call('SET', KEYS[3 + i], record, 'PX', ttl_ms, 'NX') then
      kept[#kept + 1] = id
      if not is_mine then -- whoever holds or may claim it by now is to leave it
        late[#late + 1], ended[#ended + 1] = id, id
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
return late
