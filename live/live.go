// Package live is what connected clients see of the domain: the hubs that they call, and the services that store a
// change and show it at once to those who are connected.
package live

import (
	"hash/maphash"
	"sync"
)

// userGroup and topicGroup name the groups of the notification hub, orderGroup those of the order hub.
func userGroup(userID string) string   { return "user:" + userID }
func topicGroup(topic string) string   { return "topic:" + topic }
func orderGroup(orderID string) string { return "order:" + orderID }

// keyedMutex keeps what is done for one key in order: locks are shared by keys with the same hash. The zero value is
// ready.
type keyedMutex struct {
	once  sync.Once
	seed  maphash.Seed
	locks [64]sync.Mutex
}

// lock locks key and returns what unlocks it.
func (m *keyedMutex) lock(key string) (unlock func()) {
	m.once.Do(func() { m.seed = maphash.MakeSeed() })
	l := &m.locks[maphash.String(m.seed, key)%uint64(len(m.locks))]
	l.Lock()
	return l.Unlock
}
