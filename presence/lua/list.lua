-- Returns how many users were looked at, the last of them, and those with connections to nodes that are alive: user,
-- how many, ...
-- KEYS: nodes, online. ARGV: prefix of users, lower bound of users as ZRANGEBYLEX wants it, how many to look at.
local alive = {}
local users = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[2], '+', 'LIMIT', 0, ARGV[3])
local result = {tostring(#users), users[#users] or ''}
for _, user in ipairs(users) do
  local count = 0
  for _, node in ipairs(redis.call('HVALS', ARGV[1] .. user)) do
    if alive[node] == nil then
      local lease = redis.call('ZSCORE', KEYS[1], node)
      alive[node] = lease and tonumber(lease) > now
    end
    if alive[node] then
      count = count + 1
    end
  end
  if count > 0 then
    result[#result + 1] = user
    result[#result + 1] = tostring(count)
  end
end
return result
