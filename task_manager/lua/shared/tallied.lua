-- Tells what happened to tasks of one type.
-- KEYS  tally  hash  as in parts/tally
-- returns  list: field, value, ... of the tally
return redis.call('HGETALL', tally)
