-- Renews the lease of a node. Returns how many connections are known of it, and how many nodes are dead.
-- KEYS: nodes, the node's connections. ARGV: node, lease in ms.
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return {redis.call('HLEN', KEYS[2]), redis.call('ZCOUNT', KEYS[1], '-inf', now)}
