-- result_in(key): the result record that is stored there, false where there is none, 'unreadable' for anything else.
local function result_in(key) -- luacheck: ignore 211
  local record = redis.pcall('GET', key)
  if not record then return false end
  local is_one = type(record) == 'string' and record:find('^[cdf]%l+ %d+ %d+ %d+ %d+ %d+\n')
  return is_one and record or 'unreadable' -- another state, another program's value, another type of key
end
