package presence

import (
	"context"
	"sync"

	"signalbox"
)

// Memory tracks the connections of a server that is alone. None of its calls waits or fails, but for an id that cannot be
// one. It has no goroutine and needs no end.
type Memory struct {
	mu      sync.Mutex
	local   local
	changes changes
}

var _ signalbox.ConnectionTracker = (*Memory)(nil)

// MemoryOptions are the settings of a [Memory]. The zero value is ready.
type MemoryOptions struct {
	// OnChange is told who comes online and who goes, in that order and one at a time, by the goroutine of a call to Add
	// or Remove. It must not wait; it may call the tracker. Default: nobody is told.
	OnChange func(Change)
}

// NewMemory returns a tracker without connections; nil options are the defaults.
func NewMemory(o *MemoryOptions) *Memory {
	if o == nil {
		o = &MemoryOptions{}
	}
	return &Memory{local: newLocal(), changes: changes{to: o.OnChange}}
}

// Add implements [signalbox.ConnectionTracker].
func (m *Memory) Add(_ context.Context, userID, connectionID string) error {
	if err := check(userID, connectionID); err != nil {
		return err
	}
	m.mu.Lock()
	_, first, err := m.local.add(userID, connectionID)
	if first {
		m.changes.put(Change{userID, true})
	}
	m.mu.Unlock()
	m.changes.tell()
	return err
}

// Remove implements [signalbox.ConnectionTracker].
func (m *Memory) Remove(_ context.Context, userID, connectionID string) error {
	if err := check(userID, connectionID); err != nil {
		return err
	}
	m.mu.Lock()
	if _, last := m.local.remove(userID, connectionID); last {
		m.changes.put(Change{userID, false})
	}
	m.mu.Unlock()
	m.changes.tell()
	return nil
}

// UserConnections implements [signalbox.ConnectionTracker].
func (m *Memory) UserConnections(_ context.Context, userID string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.local.connections(userID), nil
}

// IsUserOnline implements [signalbox.ConnectionTracker].
func (m *Memory) IsUserOnline(_ context.Context, userID string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.local.users[userID]) > 0, nil
}

// Counts implements [signalbox.ConnectionTracker].
func (m *Memory) Counts(context.Context) (signalbox.PresenceCounts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.local.counts(), nil
}

// OnlineUsers implements [signalbox.ConnectionTracker].
func (m *Memory) OnlineUsers(_ context.Context, after string, limit int) ([]signalbox.OnlineUser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.local.online(after, limit), nil
}
