-- Adds an ended session to the stream, and takes out what everybody has forgotten.
-- KEYS: the stream. ARGV: the session, the second of its last token, how many seconds entries are kept.
redis.call('XADD', KEYS[1], '*', 'session', ARGV[1], 'until', ARGV[2])
local oldest = (tonumber(redis.call('TIME')[1]) - tonumber(ARGV[3])) * 1000
-- servers before 6.2 do not know MINID: there the stream grows until somebody trims it
redis.pcall('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
return redis.status_reply('OK')
