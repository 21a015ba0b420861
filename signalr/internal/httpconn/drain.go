package httpconn

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"signalbox/signalr/transport"
)

const (
	// drainInterval is how long, on average, Drain waits between two batches; the single wait is between half of it and
	// three halves.
	drainInterval = 100 * time.Millisecond
	// pollGrace is how long a client may stay away between two polls to learn that the server is going down.
	pollGrace = 5 * time.Second
)

// Drain is [Manager.Shutdown] at a pace: from now on nobody negotiates, who has done so before may still come, and
// connections end in jittered batches of random ones, rate of them in a second; 0 means all at once. The streams of
// connections of other nodes that this one passes on are among them: their clients connect anew, too. When ctx has a
// deadline that is too near for that, they go evenly in three quarters of the time: the rest is for them to end.
func (m *Manager) Drain(ctx context.Context, rate int) error {
	m.mu.Lock()
	m.refusing = true
	m.mu.Unlock()
	if rate > 0 {
		m.pace(ctx, float64(rate))
	}
	return m.Shutdown(ctx)
}

// pace ends connections until there are none to end, or until the time for it is over.
func (m *Manager) pace(ctx context.Context, rate float64) {
	var until time.Time
	if deadline, ok := ctx.Deadline(); ok {
		until = deadline.Add(-time.Until(deadline) / 4)
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	owed := 0.0 // how many may go now
	for {
		staying := m.staying()
		if len(staying) == 0 {
			return
		}
		rand.Shuffle(len(staying), func(i, j int) { staying[i], staying[j] = staying[j], staying[i] })
		for len(staying) > 0 {
			interval := drainInterval/2 + rand.N(drainInterval)
			pace := rate
			if !until.IsZero() {
				left := time.Until(until)
				if left <= interval {
					return
				}
				pace = max(rate, float64(len(staying))/left.Seconds())
			}
			wait.Reset(interval)
			select {
			case <-wait.C:
			case <-ctx.Done():
				return
			}
			for owed += pace * interval.Seconds(); owed >= 1 && len(staying) > 0; staying = staying[1:] {
				if l := staying[0]; l.stays() {
					l.shutdown()
					owed--
				}
			}
			owed = min(owed, 1) // who went by themselves make no room for a burst
		}
	}
}

// leaver is what brings a client to another node when it ends: a connection, or a stream of another node's connection.
type leaver interface {
	// stays says whether it is not on its way out.
	stays() bool
	// shutdown has it end. It does not wait.
	shutdown()
}

// staying returns what is not on its way out.
func (m *Manager) staying() []leaver {
	var list []leaver
	if m.farm != nil {
		list = m.farm.staying()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	list = slices.Grow(list, len(m.conns))
	for _, c := range m.conns {
		if c.stays() {
			list = append(list, c)
		}
	}
	return list
}

// stays says whether the connection is not on its way out.
func (c *Conn) stays() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.leaving && !c.deleted && !c.finished && c.state != stateOver
}

// leaves says whether the server is going down and has told the App so.
func (c *Conn) leaves() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving && c.inputOver
}

// farewellLocked says whether the client of a server that is going down has fetched the last word.
func (c *Conn) farewellLocked() bool { return c.leaving && c.lastSent && len(c.frames) == 0 }

// patienceLocked is how long a client may stay away.
func (c *Conn) patienceLocked() time.Duration {
	if c.leaving {
		return min(pollGrace, c.mgr.disconnectTimeout)
	}
	return c.mgr.disconnectTimeout
}

// awaitsPoll says whether all is done but that the client fetches it.
func (c *Conn) awaitsPoll() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished && c.state == stateInactive && c.transport == transport.LongPolling
}

// refuses says whether nobody is to come any more.
func (m *Manager) refuses() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusing || m.draining
}

// refuse tells a client to try again, which then finds a server that stays.
func refuse(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	answer(w, http.StatusServiceUnavailable, "")
}
