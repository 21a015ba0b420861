package signalr

import (
	"context"
	"sync"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// replay is what stateful reconnect keeps of a connection: what was sent and not acknowledged, and how far the client's
// messages have come (F-127 to F-137). A connection without it has none.
type replay struct {
	c *Connection

	// mu keeps numbering and queueing one step, so that numbers follow the order on the wire. It is taken before the
	// locks of the connection and of httpconn.
	mu        sync.Mutex
	frames    []httpconn.Frame // sent, not acknowledged, in order
	first     int64            // number of frames[0], or of the next message when there is none
	bytes     int
	suspended bool
	room      chan struct{} // closed when there is room again; nil when nobody waits

	// Guarded by c.mu.
	received int64 // number of the latest message that was received for the first time
	next     int64 // number of the message that comes next
	acked    int64 // what the client was last told of received
	scanned  int   // bytes of the inbox that were searched for acknowledgements
}

func newReplay(c *Connection) *replay { return &replay{c: c, first: 1, next: 1} }

// add keeps a numbered message and puts it into the queue. own waits for room; others fail with
// [httpconn.ErrQueueFull].
func (r *replay) add(ctx context.Context, f httpconn.Frame, own bool) error {
	r.mu.Lock()
	for {
		limit := r.c.hub.opts.StatefulReconnectBufferSize
		if !own {
			limit += r.c.hub.opts.Connection.SendQueueLimit
		}
		if r.bytes <= limit {
			break // the message that crosses the limit still goes (F-131)
		}
		if !own {
			r.mu.Unlock()
			return httpconn.ErrQueueFull
		}
		if r.room == nil {
			r.room = make(chan struct{})
		}
		room := r.room
		r.mu.Unlock()
		select {
		case <-room:
		case <-r.c.Context().Done():
			return httpconn.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	if !r.c.hub.server.Load().suspended.add(r, len(f.Payload())) {
		return httpconn.ErrQueueFull
	}
	r.frames = append(r.frames, f)
	r.bytes += len(f.Payload())
	// The bytes are bounded above; the queue holds no more than what is kept here.
	return r.c.http.SendAnyway(f)
}

// acknowledge forgets the messages up to n. Numbers that were never sent are taken for the last that was (F-138).
func (r *replay) acknowledge(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	freed := 0
	for len(r.frames) > 0 && r.first <= n {
		freed += len(r.frames[0].Payload())
		r.frames[0] = httpconn.Frame{}
		r.frames = r.frames[1:]
		r.first++
	}
	if len(r.frames) == 0 {
		r.frames = nil
	}
	r.bytes -= freed
	if r.room != nil && freed > 0 {
		close(r.room)
		r.room = nil
	}
}

// release drops everything when the connection is over.
func (r *replay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.suspended {
		r.suspended = false
		r.c.hub.server.Load().suspended.give(r.bytes)
	}
	r.frames, r.bytes = nil, 0
}

// count numbers a message of the client. It is false for one that was received before (F-134).
func (r *replay) count() (isNew bool) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	n := r.next
	r.next++
	if n <= r.received {
		return false
	}
	r.received = n
	return true
}

// errSequence is a Sequence that leaves messages out.
var errSequence error = &namedError{"InvalidOperationException", "Sequence ID greater than amount of messages we've received."}

// sequence takes the client's word for which message comes next.
func (r *replay) sequence(n int64) error {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if n > r.received+1 {
		return errSequence
	}
	r.next = n
	return nil
}

// tick acknowledges what was received since it last did (F-130), and ends a suspended connection when all of them keep too
// much together.
func (r *replay) tick() {
	if r.overBudget() {
		r.c.fail(ErrSlowConsumer)
		return
	}
	r.c.mu.Lock()
	n := r.received
	if n == r.acked {
		r.c.mu.Unlock()
		return
	}
	r.acked = n
	r.c.mu.Unlock()
	if f, err := encodeFrame(r.c.proto, &protocol.Ack{SequenceID: n}); err == nil {
		_ = r.c.http.Send(f) // one that finds no room is made up for by the next
	}
}

// overBudget says whether a suspended connection has to go for the budget's sake. It counts no more from then on.
func (r *replay) overBudget() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.suspended || !r.c.hub.server.Load().suspended.giveIfOver(r.bytes) {
		return false
	}
	r.suspended = false
	return true
}

// Suspended implements [httpconn.Resumer].
func (c *Connection) Suspended() {
	r := c.replay
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.suspended {
		r.suspended = true
		c.hub.server.Load().suspended.take(r.bytes)
	}
}

// Resume implements [httpconn.Resumer]: the client is told with which number the server goes on, and gets again what it
// has not acknowledged (F-133). What it had sent of a message that was cut is dropped: it will send it again.
func (c *Connection) Resume(attach func() bool) bool {
	c.dropPartialMessage()
	r := c.replay
	r.mu.Lock()
	defer r.mu.Unlock()
	if !attach() {
		return false
	}
	if r.suspended {
		r.suspended = false
		c.hub.server.Load().suspended.give(r.bytes)
	}
	if f, err := encodeFrame(c.proto, &protocol.Sequence{SequenceID: r.first}); err == nil {
		_ = c.http.SendAnyway(f) // the connection may be over again
	}
	for _, f := range r.frames {
		_ = c.http.SendAnyway(f)
	}
	c.mu.Lock()
	r.acked = 0 // an acknowledgement may have been lost with the socket
	c.mu.Unlock()
	return true
}

// dropPartialMessage takes what is not a whole message off the end of the inbox.
func (c *Connection) dropPartialMessage() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pumping { // not for long: while the connection is suspended no send waits
		if c.idle == nil {
			c.idle = make(chan struct{})
		}
		idle := c.idle
		c.mu.Unlock()
		select {
		case <-idle:
		case <-c.Context().Done():
		}
		c.mu.Lock()
		if c.Context().Err() != nil {
			return
		}
	}
	whole := 0
	for whole < len(c.inbox) {
		_, n, err := c.proto.Parse(c.inbox[whole:])
		if err != nil {
			return // fails when its turn comes
		}
		if n == 0 {
			break
		}
		whole += n
	}
	c.inbox = c.inbox[:whole]
}

// scanAcksLocked handles the acknowledgements in what waits in the inbox: they make room for those who hold up what
// waits.
func (c *Connection) scanAcksLocked() {
	r := c.replay
	if r == nil {
		return
	}
	var latest int64
	for r.scanned < len(c.inbox) {
		m, n, err := c.proto.Parse(c.inbox[r.scanned:])
		if err != nil || n == 0 {
			break
		}
		if ack, ok := m.(*protocol.Ack); ok {
			latest = max(latest, ack.SequenceID)
		}
		r.scanned += n
	}
	if latest > 0 {
		c.mu.Unlock()
		r.acknowledge(latest)
		c.mu.Lock()
	}
}

// budget bounds what all suspended connections of a server keep together, in bytes.
type budget struct {
	mu    sync.Mutex
	limit int
	used  int
}

// add says whether a connection may keep n more bytes, and counts them if it is suspended. It is called with r.mu held.
func (b *budget) add(r *replay, n int) bool {
	if !r.suspended {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

// giveIfOver gives n bytes back if the budget is exceeded: connections bring along what they have when they are suspended.
func (b *budget) giveIfOver(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used <= b.limit {
		return false
	}
	b.used -= n
	return true
}

func (b *budget) take(n int) {
	b.mu.Lock()
	b.used += n
	b.mu.Unlock()
}

func (b *budget) give(n int) { b.take(-n) }
