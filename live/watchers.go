package live

import (
	"maps"
	"slices"
	"sync"
)

// watchers knows which connections of this process watch which orders, and which version each was last given. The zero
// value is ready.
type watchers struct {
	mu     sync.Mutex
	orders map[string]map[string]watcher // by order and connection
}

type watcher struct {
	userID  string
	version int64
}

// add has a connection of a user's watch an order that it was given at a version.
func (w *watchers) add(orderID, connectionID, userID string, version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.orders == nil {
		w.orders = make(map[string]map[string]watcher)
	}
	if w.orders[orderID] == nil {
		w.orders[orderID] = make(map[string]watcher)
	}
	w.orders[orderID][connectionID] = watcher{userID, version}
}

func (w *watchers) remove(orderID, connectionID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.orders[orderID], connectionID)
	if len(w.orders[orderID]) == 0 {
		delete(w.orders, orderID)
	}
}

// gone removes a connection from all orders.
func (w *watchers) gone(connectionID string) {
	w.mu.Lock()
	watched := slices.Collect(maps.Keys(w.orders))
	w.mu.Unlock()
	for _, id := range watched {
		w.remove(id, connectionID)
	}
}

// given notes that connections have been given a version of an order.
func (w *watchers) given(orderID string, version int64, connectionIDs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, one := range w.orders[orderID] {
		if one.version < version && slices.Contains(connectionIDs, id) {
			one.version = version
			w.orders[orderID][id] = one
		}
	}
}

// watched returns the orders that are watched, sorted.
func (w *watchers) watched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.orders))
}

// of returns the connections that watch an order, and for whom.
func (w *watchers) of(orderID string) map[string]watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.orders[orderID])
}
