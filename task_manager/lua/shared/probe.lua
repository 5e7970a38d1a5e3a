-- Does to a key of its own what the other scripts do to theirs, and removes it again.
-- KEYS[1]  string  the probe, in each of the databases
-- ARGV[1]  int     main database, where the script begins; "" where SELECT is not needed
-- ARGV[2]  int     input database; "" where there is none
-- returns  1: all of it is permitted, and written
local probe, main_db, input_db, call = KEYS[1], ARGV[1], ARGV[2], redis.call
call('SET', probe, '1', 'PX', 60000)
call('SETRANGE', probe, 0, '2')
call('GET', probe)
call('GETRANGE', probe, 0, 0)
call('SETRANGE', probe, 0, '1')
call('EXISTS', probe)
call('PEXPIREAT', probe, call('TIME')[1] * 1000 + 60000)
call('PTTL', probe)
call('UNLINK', probe)
call('HSET', probe, 'field', 1)
call('PEXPIRE', probe, 60000) -- should what follows be refused
call('HINCRBY', probe, 'field', 1)
call('HGET', probe, 'field')
call('HMGET', probe, 'field')
call('HGETALL', probe)
call('HKEYS', probe)
call('HLEN', probe)
call('HEXISTS', probe, 'field')
call('HRANDFIELD', probe)
call('HDEL', probe, 'field')
call('ZADD', probe, 1, 'member')
call('PEXPIRE', probe, 60000)
call('ZSCORE', probe, 'member')
call('ZMSCORE', probe, 'member')
call('ZCARD', probe)
call('ZCOUNT', probe, 1, 1)
call('ZRANDMEMBER', probe)
call('ZRANGE', probe, 0, 0)
call('ZREVRANGE', probe, 0, 0)
call('ZRANGEBYSCORE', probe, 1, 1)
call('ZREMRANGEBYSCORE', probe, 2, 2)
call('ZREM', probe, 'member')
call('RPUSH', probe, 1)
call('PEXPIRE', probe, 60000)
call('LLEN', probe)
call('LPOP', probe)
if input_db ~= '' then
  call('SELECT', input_db)
  call('DBSIZE')
  call('RANDOMKEY')
  call('SET', probe, '1', 'PX', 60000)
  call('DEL', probe)
  call('SELECT', main_db)
end
return 1
