-- Does to a key of its own what the other scripts do to theirs, and removes it again.
-- ARGV  main_db   int  where the script begins
-- ARGV  input_db  int
-- returns  int: 1: all of it is permitted, and written
-- include probed
call('SELECT', input_db)
call('DBSIZE')
call('RANDOMKEY')
call('SET', probe, '1', 'PX', TTL_MS)
call('DEL', probe)
call('SELECT', main_db)
return 1
