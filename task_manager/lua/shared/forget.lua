-- Waiting tasks of one type whose answer came late after all stop waiting.
-- ARGV  ids[]  string
-- returns  int: how many were waiting
-- include store
local forgotten = 0
for i = 1, #ids do
  if take_waiting(i) then forgotten = forgotten + 1 end
end
return forgotten
