-- Forgets the failures of a subject after a success, unless it is held: says until when; 0 if it is not.
-- KEYS: the list. ARGV: now, in milliseconds.
local head = redis.call('LINDEX', KEYS[1], 0)
if head and string.sub(head, 1, 1) == 'H' and tonumber(string.sub(head, 2)) > tonumber(ARGV[1]) then
    return tonumber(string.sub(head, 2))
end
redis.call('DEL', KEYS[1])
return 0
