// Package names keeps the few names that nearly all messages of a hub bring, so that they need not be allocated anew.
package names

import (
	"hash/maphash"
	"sync/atomic"
)

// Table remembers names that came lately. It holds a bounded number of short ones, whatever clients send. The zero value
// is ready, and safe for concurrent use.
type Table struct {
	slots [slots]atomic.Pointer[string]
}

const (
	slots  = 256
	length = 64 // of the longest name that is kept
)

var seed = maphash.MakeSeed()

// String returns b as a string, which is not allocated if it came lately.
func (t *Table) String(b []byte) string {
	if len(b) > length {
		return string(b)
	}
	slot := &t.slots[maphash.Bytes(seed, b)%slots]
	if s := slot.Load(); s != nil && *s == string(b) {
		return *s
	}
	s := string(b)
	slot.Store(&s)
	return s
}
