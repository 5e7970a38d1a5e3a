-- Where results are: "state submitted_ms started_ms finished_ms attempts expires_ms\nbody", as in result_record.

-- The record that is stored there, false where there is none; 'unreadable' where it is another state,
-- another program's value or another type of key.
local function result_in(key)
  local record = redis.pcall('GET', key)
  if not record then return false end
  local is_one = type(record) == 'string' and record:find('^[cdf]%l+ %d+ %d+ %d+ %d+ %d+\n')
  return is_one and record or 'unreadable'
end
