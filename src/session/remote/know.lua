-- Remembers a network of a good login, and forgets all but the last ones.
-- KEYS: the networks of the account. ARGV: the network, now in milliseconds, how many are kept, for how many milliseconds.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return redis.status_reply('OK')
