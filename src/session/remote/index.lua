-- Adds a session to an index, takes out those that have expired, and lets the index end with its last one. The clock is
-- the server's: a gateway whose clock is wrong must not take others out.
-- KEYS: the index. ARGV: the session, the second at which it expires.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then
    redis.call('EXPIREAT', KEYS[1], string.format('%.0f', tonumber(last[2]) + 1))
end
return redis.status_reply('OK')
