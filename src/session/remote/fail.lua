-- Counts a failed login. The list holds the times of failures within the window, or one entry 'H<until>' while the
-- subject is held. Says until when it was held before, and until when it is held now; 0 if it is not.
-- KEYS: the list. ARGV: now, limit, window, lockout (all but the limit in milliseconds), 1 to prolong a hold.
local now, limit, window, lockout = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local head = redis.call('LINDEX', KEYS[1], 0)

local function hold()
    redis.call('DEL', KEYS[1])
    redis.call('RPUSH', KEYS[1], 'H' .. string.format('%.0f', now + lockout))
    redis.call('PEXPIRE', KEYS[1], lockout)
end

if head and string.sub(head, 1, 1) == 'H' then
    local before = tonumber(string.sub(head, 2))
    if before > now then
        if ARGV[5] == '1' and now + lockout > before then
            hold()
            return { before, now + lockout }
        end
        return { before, before }
    end
    redis.call('DEL', KEYS[1])
    head = false
end
while head and tonumber(head) <= now - window do
    redis.call('LPOP', KEYS[1])
    head = redis.call('LINDEX', KEYS[1], 0)
end
redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
if redis.call('LLEN', KEYS[1]) >= limit then
    hold()
    return { 0, now + lockout }
end
redis.call('PEXPIRE', KEYS[1], window)
return { 0, 0 }
