-- Deletes a value that is still one's own.
-- KEYS: the value. ARGV: what it is if it is one's own.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
