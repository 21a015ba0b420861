package live

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Connections knows the connections of this process to the notification hub, and how far each has for certain been given
// its user's notifications. The zero value is ready; it is safe for concurrent use.
type Connections struct {
	mu    sync.Mutex
	users map[string]map[string]int64 // by user and connection: the last sequence that it was given
}

// add counts a connection that has been given all up to a sequence, or does not want it.
func (c *Connections) add(userID, connectionID string, sequence int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users = make(map[string]map[string]int64)
	}
	if c.users[userID] == nil {
		c.users[userID] = make(map[string]int64)
	}
	c.users[userID][connectionID] = sequence
}

func (c *Connections) remove(userID, connectionID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.users[userID], connectionID)
	if len(c.users[userID]) == 0 {
		delete(c.users, userID)
	}
}

// given notes that a connection of a user has been given all up to a sequence.
func (c *Connections) given(userID string, sequence int64, connectionID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last, ok := c.users[userID][connectionID]; ok && last < sequence {
		c.users[userID][connectionID] = sequence
	}
}

// lacking returns the connections of a user that have not been given a sequence.
func (c *Connections) lacking(userID string, sequence int64) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, last := range c.users[userID] {
		if last < sequence {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// standing returns, for each user who is connected, the lowest sequence that a connection of the user's was last given.
func (c *Connections) standing() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	lowest := make(map[string]int64, len(c.users))
	for user, connections := range c.users {
		lowest[user] = slices.Min(slices.Collect(maps.Values(connections)))
	}
	return lowest
}

// UserConnections returns the ids of the user's connections to this process, sorted. It never fails.
func (c *Connections) UserConnections(_ context.Context, userID string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.users[userID])), nil
}
