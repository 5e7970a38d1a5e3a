-- Lists tasks of one type that ended in one way, the newest first, but those whose results have expired.
-- Of results it reads their beginnings, and where tasks failed their ends.
-- KEYS  ended          list    ids, the newest first
-- ARGV  result_prefix  string  what the keys of results begin with, before the id
-- ARGV  state          string  how they ended
-- returns  list: 1: there are more | 0: these are the last; then per task: id, its result record without the
--          body, the last bytes of the body of one that failed
-- include newest
-- include ended
local HEAD = 127 -- a result record without its body is shorter
local TAIL = 16384 -- an error is shorter, and the last that stands in a body
local seen = {}
local found = {}
local is_cut = false
for _, id in ipairs(redis.call('LRANGE', ended, 0, MOST_ENDED - 1)) do
  if not seen[id] and id:sub(1, #id_prefix) == id_prefix then
    seen[id] = true -- at its latest end
    local head = redis.pcall('GETRANGE', result_prefix .. id, 0, HEAD)
    local line, at_ms
    if type(head) == 'string' and head:sub(1, #state) == state then
      line, at_ms = head:match('^(%l+ %d+ %d+ (%d+) %d+ %d+)\n')
    end
    if line then
      at_ms = tonumber(at_ms)
      is_cut = #found >= limit and at_ms < found[#found].at_ms
      if is_cut then break end
      if is_asked_for(id, at_ms) then found[#found + 1] = { id = id, at_ms = at_ms, line = line } end
    end
  end
end
local reply = { (keep_newest(found) or is_cut) and 1 or 0 }
for _, task in ipairs(found) do
  local n = #reply
  reply[n + 1] = task.id
  reply[n + 2] = task.line
  reply[n + 3] = state == 'failed' and redis.call('GETRANGE', result_prefix .. task.id, -TAIL, -1) or ''
end
return reply
