// Package presence knows who is connected: [Memory] for a server that is alone, [Redis] for several that share one Redis.
// Both are a [signalbox.ConnectionTracker] and pass the suite in presence/presencetest.
//
// With Redis a connection counts while its node's lease lives, which the node renews with one command, however many
// connections it has. The bounds, by the options' defaults:
//
//   - A change on a node that is well is seen everywhere as soon as Add or Remove returns.
//   - The connections of a node that has died, or cannot reach Redis, are gone [RedisOptions.Lease] (15 s) after its
//     last renewal: all of them at once, for every reader. That the users have left is announced up to
//     [RedisOptions.Heartbeat] (5 s) later.
//   - While Redis is away a tracker answers for its own node, with [signalbox.ErrPresencePartial]. No call waits for Redis
//     longer than [RedisOptions.Timeout] (1 s), and none waits at all once it is known to be away.
//   - When Redis is back, also without its data, each node notices within half a second and puts its connections back;
//     until it has, the other nodes do not see them.
package presence

import (
	"errors"
	"sync"
)

// Change says that a user has come online or gone offline: with the first connection, or after the last.
type Change struct {
	UserID string
	Online bool
}

// changes hands changes over, one after the other and in their order. Whoever brings one while nobody does so becomes the
// one who does: there is no goroutine to look after. The zero value tells nobody.
type changes struct {
	to func(Change)

	mu      sync.Mutex
	queue   []Change
	telling bool
}

// put appends a change. It must be called where the order of changes is decided, and does not call anybody.
func (c *changes) put(list ...Change) {
	if c.to == nil || len(list) == 0 {
		return
	}
	c.mu.Lock()
	c.queue = append(c.queue, list...)
	c.mu.Unlock()
}

// tell hands over what is queued, unless somebody is at it, who then does that too. The caller holds no lock.
func (c *changes) tell() {
	if c.to == nil {
		return
	}
	c.mu.Lock()
	if c.telling {
		c.mu.Unlock()
		return
	}
	c.telling = true
	defer func() { // also when it panics: the next one goes on
		c.telling = false
		c.mu.Unlock()
	}()
	for len(c.queue) > 0 {
		next := c.queue[0]
		c.queue = c.queue[1:]
		c.tellOne(next)
	}
	c.queue = nil
}

// tellOne hands over one change, without the lock that the caller holds.
func (c *changes) tellOne(change Change) {
	c.mu.Unlock()
	defer c.mu.Lock()
	c.to(change)
}

// check refuses what cannot be tracked.
func check(userID, connectionID string) error {
	if userID == "" || connectionID == "" {
		return errors.New("presence: a connection needs an id and a user")
	}
	return nil
}
