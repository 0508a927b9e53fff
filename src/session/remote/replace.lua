-- Replaces a value that nobody has changed meanwhile, for good. Says whether it did.
-- KEYS: the value. ARGV: the value before, '' for none, and the value after.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
