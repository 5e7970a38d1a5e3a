-- Scripts run inside Redis: Lua 5.1 with these names, and no globals of their own.
std = "lua51"
read_globals = { "redis", "cjson", "KEYS", "ARGV" }
max_line_length = 120
