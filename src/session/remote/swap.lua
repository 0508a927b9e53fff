-- Replaces a value that nobody has changed meanwhile. Says whether it did.
-- KEYS: the value. ARGV: the value before, the value after, its life in milliseconds.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
