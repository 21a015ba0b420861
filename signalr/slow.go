package signalr

import (
	"hash/maphash"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// SlowClients is what a hub does with a client that does not read as fast as others send to it, once its queue is full
// ([ConnectionOptions].SendQueueLimit). The zero value closes the connection with [ErrSlowConsumer], so that the client
// comes back and fetches what it needs: right for whatever must not be missed. [DropOldest] and [Coalesce] let it stay,
// at the price of messages.
//
// Only invocations that others send are ever dropped: answers, items of streams, questions for client results and what a
// connection sends to itself are not. A client that reads nothing at all is cut by TransportSendTimeout all the same. A
// connection that uses stateful reconnect is closed in any case: what it is owed is numbered.
type SlowClients struct {
	dropOldest bool
	key        func(*QueuedMessage) string
}

// DropOldest drops the oldest messages that wait for a slow client to make room for new ones: for what is worth nothing
// any more when something newer is there, such as the positions of a cursor. What the client gets is in order, with holes.
func DropOldest() SlowClients { return SlowClients{dropOldest: true} }

// Coalesce drops those messages that wait for a slow client and are superseded: of those with the same key only the
// newest stays. An empty key is one of its own. A client that stays has, in the end, the newest message of each key; when
// even those do not fit, the connection is closed. key is called for a slow client alone, by whoever sends: it must be
// quick, and must not use the hub.
func Coalesce(key func(*QueuedMessage) string) SlowClients { return SlowClients{key: key} }

// closes says whether slow clients are closed.
func (s SlowClients) closes() bool { return !s.dropOldest && s.key == nil }

// QueuedMessage is a message that waits to be sent to a client.
type QueuedMessage struct {
	inv   *protocol.Invocation
	proto protocol.HubProtocol
}

// Target returns the name of the client's method.
func (m *QueuedMessage) Target() string { return m.inv.Target }

// Decode decodes the arguments into what dst points to, one for each. It fails when they do not fit.
func (m *QueuedMessage) Decode(dst ...any) error {
	if m.inv.ArgumentsErr != nil {
		return m.inv.ArgumentsErr
	}
	return m.proto.DecodeArguments(m.inv.RawArguments, dst...)
}

// What a frame in a queue is labelled with. Other labels are hashes of keys.
const (
	labelNone uint64 = 0                 // not looked at yet
	labelKeep        = httpconn.LabelOwn // must not be dropped
	labelDrop uint64 = 2                 // may be dropped
)

// thin makes room in the queue of a slow client for f, as an [httpconn.Thin].
func (c *Connection) thin(queue []httpconn.Frame, f httpconn.Frame, excess int) (rest []httpconn.Frame, freed int) {
	if c.hub.opts.SlowClients.dropOldest {
		return c.dropOldest(queue, excess)
	}
	if own := c.label(&f); own != labelKeep {
		rest, freed = dropFrames(queue, len(queue), func(q *httpconn.Frame) bool { return c.label(q) == own })
		if freed >= excess {
			return rest, freed
		}
		queue = rest
	}
	seen := make(map[uint64]struct{}, len(queue))
	rest, more := dropFrames(queue, len(queue), func(q *httpconn.Frame) bool {
		label := c.label(q)
		if label == labelKeep {
			return false
		}
		_, superseded := seen[label]
		seen[label] = struct{}{}
		return superseded
	})
	return rest, freed + more
}

// dropOldest drops excess bytes from the front of a queue.
func (c *Connection) dropOldest(queue []httpconn.Frame, excess int) (rest []httpconn.Frame, freed int) {
	end := 0
	for found := 0; end < len(queue) && found < excess; end++ {
		if c.label(&queue[end]) != labelKeep {
			found += queue[end].Size()
		}
	}
	return dropFrames(queue, end, func(q *httpconn.Frame) bool { return c.label(q) != labelKeep })
}

// dropFrames drops those of the first n frames that drop says, from the last to the first.
func dropFrames(queue []httpconn.Frame, n int, drop func(*httpconn.Frame) bool) (rest []httpconn.Frame, freed int) {
	first := n // of what stays, which moves to the end
	for i := n - 1; i >= 0; i-- {
		if drop(&queue[i]) {
			freed += queue[i].Size()
			continue
		}
		first--
		queue[first] = queue[i]
	}
	clear(queue[:first])
	return queue[first:], freed
}

// label says what may become of a frame, and remembers it.
func (c *Connection) label(f *httpconn.Frame) uint64 {
	if f.Label == labelNone {
		f.Label = c.newLabel(f.Payload())
	}
	return f.Label
}

var labelSeed = maphash.MakeSeed()

func (c *Connection) newLabel(payload []byte) (label uint64) {
	m, _, err := c.proto.Parse(payload)
	inv, ok := m.(*protocol.Invocation)
	if err != nil || !ok || inv.InvocationID != "" {
		return labelKeep
	}
	if c.hub.opts.SlowClients.dropOldest {
		return labelDrop
	}
	defer func() {
		if p := recover(); p != nil {
			c.hub.opts.Logger.Error("the key of a message panicked", "target", inv.Target, "panic", p)
			label = labelKeep
		}
	}()
	key := c.hub.opts.SlowClients.key(&QueuedMessage{inv, c.proto})
	if key == "" {
		return labelKeep
	}
	return max(maphash.String(labelSeed, key), labelDrop)
}
