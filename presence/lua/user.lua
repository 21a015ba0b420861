-- Returns the user's connections to nodes that are alive, without the one that asks.
-- KEYS: nodes, the user's connections. ARGV: node that asks.
local alive, found = {[ARGV[1]] = false}, {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local node = all[i + 1]
  if alive[node] == nil then
    local lease = redis.call('ZSCORE', KEYS[1], node)
    alive[node] = lease and tonumber(lease) > now
  end
  if alive[node] then
    found[#found + 1] = all[i]
  end
end
return found
