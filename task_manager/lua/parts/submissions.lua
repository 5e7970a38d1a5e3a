-- What comes of what is submitted, counted.
-- KEYS  tally  hash  as in parts/tally
-- include tally
local events = {}
local cached = 0
local joined = 0
local new = 0
local refused = 0

-- Notes how `known` told a task: as terminal, or as one that runs.
local function note_known(record)
  local first = record and record:byte()
  if first == 114 then -- running
    joined = joined + 1
  elseif first == 99 or first == 100 or first == 102 then -- cancelled, done, failed
    cached = cached + 1
  end
end

local function tally_submissions()
  events.cached = cached
  events.joined = joined
  events.new = new
  events.refused = refused
  tally_up(tally, events)
end
