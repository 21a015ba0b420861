package signalr

// What a [MemoryLifetimeManager] knows of its connections. A backplane that keeps the connections of its own process in
// one decides by it what concerns other processes.

// Connection returns the connection with that id, or nil when it is not here.
func (m *MemoryLifetimeManager) Connection(id string) *Connection {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if mem := m.conns[id]; mem != nil {
		return mem.conn
	}
	return nil
}

// Len returns the number of connections.
func (m *MemoryLifetimeManager) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.conns)
}

// GroupsOf returns the groups that a connection is in, in no order; none when it is not here.
func (m *MemoryLifetimeManager) GroupsOf(connectionID string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	mem := m.conns[connectionID]
	if mem == nil || len(mem.groups) == 0 {
		return nil
	}
	names := make([]string, 0, len(mem.groups))
	for g := range mem.groups {
		names = append(names, g)
	}
	return names
}

// HasGroup says whether a connection is in the group.
func (m *MemoryLifetimeManager) HasGroup(name string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.groups[name]) > 0
}

// HasUser says whether a connection is the user's.
func (m *MemoryLifetimeManager) HasUser(userID string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.users[userID]) > 0
}
