-- Adds and removes connections of a node, which is alive if it does that. Returns who came online and who went: user,
-- '1' or '0', ...
-- KEYS: nodes, the node's connections, online. ARGV: node, lease in ms, prefix of users, then for each change: '1' or
-- '0', user, connection.
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local changes = {}
for i = 4, #ARGV, 3 do
  local user, connection = ARGV[i + 1], ARGV[i + 2]
  local key = ARGV[3] .. user
  if ARGV[i] == '1' then
    redis.call('HSET', key, connection, ARGV[1])
    redis.call('HSET', KEYS[2], connection, user)
    if redis.call('ZADD', KEYS[3], 0, user) == 1 then
      changes[#changes + 1] = user
      changes[#changes + 1] = '1'
    end
  else
    if redis.call('HGET', key, connection) == ARGV[1] then
      redis.call('HDEL', key, connection)
    end
    redis.call('HDEL', KEYS[2], connection)
    if redis.call('EXISTS', key) == 0 and redis.call('ZREM', KEYS[3], user) == 1 then
      changes[#changes + 1] = user
      changes[#changes + 1] = '0'
    end
  end
end
return changes
