-- Stores results of one type and ends their claims; the first result of a task wins.
-- KEYS[1]  hash    running: id -> "owner wanted_until_ms submitted_ms started_ms attempts"
-- KEYS[2]  hash    claims of this owner: id -> input
-- KEYS[3]  hash    progress: id -> "fraction message"
-- KEYS[4+] string  the results' keys
-- ARGV[1]  string  owner
-- ARGV[2]  string  channel of finished tasks
-- ARGV[3+] per result: id, state ("done" | "failed"), ttl (ms), body (JSON)
-- returns  ids of late results that were kept: their claims had been lost, they may wait again
local running, claims, progress = KEYS[1], KEYS[2], KEYS[3]
local owner, channel = ARGV[1], ARGV[2]
local ids, late, kept, t = {}, {}, {}, redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 1, #KEYS - 3 do ids[i] = ARGV[4 * i - 1] end
local held = redis.call('HMGET', running, unpack(ids))
local ended = {}
for i = 1, #ids do
  local at = 4 * i - 1
  local state, ttl_ms, body = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local submitted, started, attempts = '0', '0', '0'
  local mine = held[i] and held[i]:sub(1, #owner + 1) == owner .. ' '
  if mine then
    submitted, started, attempts = held[i]:match('^%S+ %d+ (%d+) (%d+) (%d+)$')
    ended[#ended + 1] = ids[i]
  end
  if mine or state == 'done' then
    local times = submitted .. ' ' .. started .. ' ' .. now .. ' ' .. attempts .. ' ' .. now + ttl_ms
    local record = state .. ' ' .. times .. '\n' .. body
    if redis.call('SET', KEYS[3 + i], record, 'PX', ttl_ms, 'NX') then
      kept[#kept + 1] = ids[i]
      if not mine then -- whoever holds or may claim it by now is to leave it
        late[#late + 1], ended[#ended + 1] = ids[i], ids[i]
      end
    end
  end
end
redis.call('HDEL', claims, unpack(ids))
if #ended > 0 then
  redis.call('HDEL', running, unpack(ended))
  redis.call('HDEL', progress, unpack(ended))
end
if #kept > 0 then redis.call('PUBLISH', channel, table.concat(kept, ',')) end
return late
