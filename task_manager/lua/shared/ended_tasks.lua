-- Lists tasks of one type that ended in one way, the newest first: those that were done until their results
-- expire, and those that failed or were cancelled unless they have ended otherwise since.
-- KEYS  ended          list    as in parts/ended, the newest first
-- ARGV  result_prefix  string  what the keys of results begin with, before the id
-- ARGV  state          string  how they ended
-- returns  list: 1: there are more | 0: these are the last; then per task: id, its result record without the
--          body, the last bytes of the body of one that failed
-- include newest
-- include ended
local HEAD = 127 -- a result record without its body is shorter
local seen = {}
local found = {}
local is_cut = false
for _, entry in ipairs(redis.call('LRANGE', ended, 0, MOST_ENDED - 1)) do
  local id, line, tail = entry:match('^(%S+) (%l+ %d+ %d+ %d+ %d+ %d+)\n(.*)$')
  id = id or entry
  if not seen[id] and id:sub(1, #id_prefix) == id_prefix then
    seen[id] = true -- at its latest end
    local head = redis.pcall('GETRANGE', result_prefix .. id, 0, HEAD)
    local is_there = type(head) == 'string' and head ~= ''
    if is_there and head:sub(1, #state) ~= state then
      line = nil
    elseif is_there and not line then
      line = head:match('^(%l+ %d+ %d+ %d+ %d+ %d+)\n')
    end
    if line then
      local at_ms = tonumber(line:match('^%l+ %d+ %d+ (%d+)'))
      is_cut = #found >= limit and at_ms < found[#found].at_ms
      if is_cut then break end
      if is_asked_for(id, at_ms) then
        found[#found + 1] = { id = id, at_ms = at_ms, line = line, tail = tail }
      end
    end
  end
end
local reply = { (keep_newest(found) or is_cut) and 1 or 0 }
for _, task in ipairs(found) do
  local n = #reply
  reply[n + 1] = task.id
  reply[n + 2] = task.line
  reply[n + 3] = task.tail or ''
end
return reply
