package httpconn

import "sync/atomic"

// trimmer gives memory back to the system when many connections have come or gone and things are quiet again. Opening a
// connection leaves several times its size behind as garbage, net/http's buffers above all, which the runtime would
// otherwise keep for as long as nothing needs it: on a server whose connections are idle, for good.
type trimmer struct {
	free func() // gives memory back; nil when nobody wants that
	// count is how many connections have come and gone so far.
	count atomic.Int64

	// Only the tick loop touches these.
	seen    int64 // count at the last tick
	trimmed int64 // count when memory was last given back
}

// trimAfter is how many connections have to come or go before it is worth while.
const trimAfter = 1000

// tick is called once a second. Collecting stops nobody for longer than any other collection does.
func (t *trimmer) tick() {
	if t.free == nil {
		return
	}
	count := t.count.Load()
	quiet := count == t.seen
	t.seen = count
	if quiet && count-t.trimmed >= trimAfter {
		t.trimmed = count
		t.free()
	}
}
