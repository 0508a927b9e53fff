-- Writes a hold into the list of holds, takes out those that are over, and lets the list end with its last one.
-- KEYS: the list. ARGV: the subject, until when it is held, now, both in milliseconds.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -100001)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(tonumber(last[2]) - tonumber(ARGV[3]), 1)))
return redis.status_reply('OK')
