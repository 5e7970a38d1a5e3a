-- What the declarations of slots need; every script begins with it.
local function flag(text) return text == '1' end

local function column(slots, first, size, made)
  if size <= 1000 and not made then return { unpack(slots, first + 1, first + size) } end
  local list = {}
  for i = 1, size do
    local slot = slots[first + i]
    if made then slot = made(slot) end
    list[i] = slot
  end
  return list
end
