package live

import (
	"log/slog"
	"sync"
)

// mostUndeliverable is how many ids are kept before all are forgotten.
const mostUndeliverable = 1000

// undeliverable are the notifications of which it has been logged that their data cannot be delivered: each is met again
// and again, by every client that catches up. The zero value is ready.
type undeliverable struct {
	mu  sync.Mutex
	ids map[string]bool
}

// log logs it, the first time.
func (u *undeliverable) log(logger *slog.Logger, id, userID string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids[id] {
		return
	}
	if u.ids == nil || len(u.ids) == mostUndeliverable {
		u.ids = make(map[string]bool)
	}
	u.ids[id] = true
	logger.Warn("a notification is delivered without its data", "notification", id, "user", userID, "error", err)
}
