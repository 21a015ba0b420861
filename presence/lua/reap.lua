-- Clears away some of what a dead node has left, or the node that is named, which counts as dead from then on. Returns
-- 'none' when no node is dead, 'done' when nothing is left of the node, else 'more'; then the users who went offline.
-- KEYS: nodes, online. ARGV: prefix of users, prefix of nodes' connections, how many, node or ''.
local node = ARGV[4]
if node == '' then
  node = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1)[1]
  if not node then
    return {'none'}
  end
else
  redis.call('ZADD', KEYS[1], 0, node)
end
local connections = ARGV[2] .. node
local batch = redis.call('HRANDFIELD', connections, ARGV[3], 'WITHVALUES')
local result = {'more'}
for i = 1, #batch, 2 do
  local connection, user = batch[i], batch[i + 1]
  local key = ARGV[1] .. user
  if redis.call('HGET', key, connection) == node then
    redis.call('HDEL', key, connection)
  end
  redis.call('HDEL', connections, connection)
  if redis.call('EXISTS', key) == 0 and redis.call('ZREM', KEYS[2], user) == 1 then
    result[#result + 1] = user
  end
end
if redis.call('EXISTS', connections) == 0 then
  redis.call('ZREM', KEYS[1], node)
  result[1] = 'done'
end
return result
