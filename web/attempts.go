package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

const (
	// maxAttempts is how often one name may be tried from one address within attemptWindow.
	maxAttempts   = 10
	attemptWindow = 15 * time.Minute
	// maxAttemptKeys bounds the memory: some 100 bytes for each name and address.
	maxAttemptKeys = 10_000
)

// attemptKey is whose attempts are counted together: somebody who guesses does not lock out the user elsewhere.
type attemptKey struct {
	name    string
	address netip.Prefix
}

// attemptCount is what is known of a key.
type attemptCount struct {
	since time.Time
	count int
}

// attempts limits how often signing in may be tried. It is safe for concurrent use.
type attempts struct {
	mu   sync.Mutex
	keys map[attemptKey]attemptCount
}

func newAttempts() *attempts {
	return &attempts{keys: map[attemptKey]attemptCount{}}
}

// begin counts an attempt before it is known how it ends, so that many at once count too. When there were too many it
// returns how long to wait; 0 means go on.
func (a *attempts) begin(key attemptKey, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, known := a.keys[key]
	if !known && len(a.keys) >= maxAttemptKeys {
		a.makeRoom(now)
	}
	if !known || now.Sub(c.since) >= attemptWindow {
		c = attemptCount{since: now}
	}
	if c.count >= maxAttempts {
		return attemptWindow - now.Sub(c.since)
	}
	c.count++
	a.keys[key] = c
	return 0
}

// succeeded forgets a key's attempts.
func (a *attempts) succeeded(key attemptKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, key)
}

// makeRoom drops what has run out, or the oldest when nothing has. It looks at all keys, which costs little beside the
// hashing of the password that follows.
func (a *attempts) makeRoom(now time.Time) {
	var oldest attemptKey
	var since time.Time
	for key, c := range a.keys {
		if now.Sub(c.since) >= attemptWindow {
			delete(a.keys, key)
			continue
		}
		if since.IsZero() || c.since.Before(since) {
			oldest, since = key, c.since
		}
	}
	if len(a.keys) >= maxAttemptKeys {
		delete(a.keys, oldest)
	}
}

// attemptKeyOf returns the key of an attempt to sign in as name. Of an IPv6 address the network counts, because one
// person has all of its addresses; an address that cannot be read is one for all.
func attemptKeyOf(r *http.Request, name string) attemptKey {
	key := attemptKey{name: strings.ToLower(name)}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return key
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return key
	}
	address = address.Unmap()
	bits := 64
	if address.Is4() {
		bits = 32
	}
	key.address, _ = address.WithZone("").Prefix(bits)
	return key
}
