-- Returns how many nodes are dead and not yet cleared away, how many users are online, and how many connections there
-- are to nodes that are alive.
-- KEYS: nodes, online. ARGV: prefix of nodes' connections.
local connections = 0
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
  connections = connections + redis.call('HLEN', ARGV[1] .. node)
end
return {redis.call('ZCOUNT', KEYS[1], '-inf', now), redis.call('ZCARD', KEYS[2]), connections}
