-- Keeps tasks of one type alive, and tells how each is.
-- ARGV  input_ttl_ms  ms
-- ARGV  max_load      count
-- ARGV  texts[]       string  the inputs (canonical JSON)
-- returns  list: the load, then per task: its result record | "unreadable"
--          | "running " + record [+ "\n" + progress] | "waiting" | "overloaded"
--          | "later" of which `known` tells
-- include known
-- include wake
-- include store
-- include submissions
local second = math.ceil((now_ms + input_ttl_ms) / 1000) -- whole ones, so that they can be counted

local reply = {}
for i = 1, #ids do
  reply[i + 1] = known(i, second * 1000)
  note_known(reply[i + 1])
end

local total, epoch = counted(counts, tally)
local runs = redis.call('HLEN', running)
redis.call('SELECT', input_db)
local most = redis.call('DBSIZE')
local is_anew = most == 0 or not epoch -- all that was counted is lost, or the count is
if is_anew then
  epoch = new_epoch()
  total = 0
end
local head = pool_record({ attempts = '0', submitted_ms = now_ms }, epoch, queue, '')
local load = runs + math.min(total, most)
local moved = {} -- by second: how many more tasks expire in it

local function move(at, by) moved[at] = (moved[at] or 0) + by end

-- Where the i-th task's record names the epoch of its count, and that; nil where it does not wait.
local function find_epoch(i, left_ms)
  if left_ms <= 0 then return nil end
  local at, since = read_head(pool[i]):match('^%d+ %d+ ()(%d+) ')
  if since and #since == #epoch then return at, since end
end

for i = 1, #ids do
  if not reply[i + 1] then
    local left_ms = redis.call('PTTL', pool[i])
    local at, since = find_epoch(i, left_ms)
    if since then
      local before = expiry_second(left_ms)
      local ends = math.max(before, second) -- another server may keep it for longer
      if ends > before then redis.call('PEXPIREAT', pool[i], ends * 1000 - 1) end
      if since == epoch then
        move(before, -1)
      else -- not counted since the count was lost
        redis.call('SETRANGE', pool[i], at - 1, epoch)
        load = load + 1
      end
      move(ends, 1)
      joined = joined + 1
      reply[i + 1] = 'waiting'
    elseif load >= max_load then
      refused = refused + 1
      reply[i + 1] = 'overloaded'
    else
      redis.call('SET', pool[i], head .. texts[i], 'PXAT', second * 1000 - 1)
      move(second, 1)
      new = new + 1
      load = load + 1
      reply[i + 1] = 'waiting'
    end
  end
end
redis.call('SELECT', main_db)

if is_anew then redis.call('DEL', counts) end
if is_anew and next(moved) then begin_count(counts, epoch) end
for at, by in pairs(moved) do
  if by ~= 0 then count(counts, at, by) end
end
wake_workers(new)
extend({ wake }, second * 1000)
extend({ counts }, second * 1000 + COUNTED_WITHIN_MS)
tally_submissions()
reply[1] = load
return reply
