package signalr

import (
	"context"
	"iter"
	"slices"

	"signalbox/signalr/protocol"
)

// upload is a stream from the client on its way to a handler. Everything is guarded by conn.mu.
type upload struct {
	conn    *Connection
	items   []protocol.RawValue // at most StreamBufferCapacity
	ended   bool
	err     error
	changed chan struct{} // closed when items or ended change; nil when nobody waits
}

// stillBlocks implements [blocker]: the pump waits while the buffer is full (F-102).
func (u *upload) stillBlocks(c *Connection) bool {
	return !u.ended && len(u.items) >= c.hub.opts.StreamBufferCapacity
}

func (u *upload) signalLocked() {
	if u.changed != nil {
		close(u.changed)
		u.changed = nil
	}
}

// errStreamClosed is what a handler reads from a stream whose connection has ended (F-104).
var errStreamClosed error = &namedError{"OperationCanceledException", "The underlying connection was closed."}

// next waits for an item. ok is false at the end of the stream.
func (u *upload) next(ctx context.Context) (raw protocol.RawValue, ok bool, err error) {
	c := u.conn
	for {
		c.mu.Lock()
		if len(u.items) > 0 {
			raw = u.items[0]
			u.items = slices.Delete(u.items, 0, 1)
			waiting := c.blocked == blocker(u)
			c.mu.Unlock()
			if waiting {
				c.http.Workers().Do((*resumption)(c))
			}
			return raw, true, nil
		}
		if u.ended {
			err = u.err
			c.mu.Unlock()
			return nil, false, err
		}
		if u.changed == nil {
			u.changed = make(chan struct{})
		}
		changed := u.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-c.Context().Done():
			return nil, false, errStreamClosed
		case <-ctx.Done():
			if c.Context().Err() != nil {
				return nil, false, errStreamClosed
			}
			return nil, false, context.Cause(ctx)
		}
	}
}

// StreamArg returns the i-th stream that the client sends along with an invocation, from 0. It may be read once. A
// failure of the client, an item that does not fit T, and the end of the connection come as the last error. Stopping
// early is fine: the rest is dropped when the method ends.
func StreamArg[T any](inv *Invocation, i int) iter.Seq2[T, error] {
	u := inv.uploads[i]
	return func(yield func(T, error) bool) {
		for {
			var item T
			raw, ok, err := u.next(&inv.ctx)
			if err == nil && ok {
				if e := inv.conn.proto.Decode(raw, &item); e != nil {
					err = inv.conn.badItem(e)
				}
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			if !ok || !yield(item, nil) {
				return
			}
		}
	}
}

// badItem is what a handler reads for an item that does not fit its type; clients may see it (F-103).
func (c *Connection) badItem(err error) error {
	return &HubError{Message: describe("Failed to bind Stream message.", err, c.hub.opts.EnableDetailedErrors)}
}

// claimStreamsLocked makes the streams of an invocation known: those that the client sends, and the one that it gets.
func (c *Connection) claimStreamsLocked(inv *Invocation) {
	for _, id := range inv.msg.StreamIDs {
		u := &upload{conn: c}
		if c.uploads == nil {
			c.uploads = make(map[string]*upload)
		}
		c.uploads[id] = u
		inv.uploads = append(inv.uploads, u)
	}
	c.lastStart = c.http.Now()
	if inv.msg.Stream {
		ctx, cancel := context.WithCancel(c.Context())
		inv.ctx.Context = ctx
		if c.streams == nil {
			c.streams = make(map[string]context.CancelFunc)
		}
		c.streams[inv.msg.InvocationID] = cancel
	}
}

// forgetUploadsLocked closes the client's streams when their method has ended (F-104).
func (c *Connection) forgetUploadsLocked(inv *Invocation) {
	for i, u := range inv.uploads {
		u.ended, u.items = true, nil
		u.signalLocked()
		if c.uploads[inv.msg.StreamIDs[i]] == u {
			delete(c.uploads, inv.msg.StreamIDs[i])
		}
	}
}

// streamItem gives an item to its stream (F-101 to F-103).
func (c *Connection) streamItem(m *protocol.StreamItem) {
	if m.InvocationID == "" {
		c.fail(&namedError{"KeyNotFoundException", "No stream with id '' could be found."})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.uploads[m.InvocationID]
	if u == nil || u.ended {
		return
	}
	if m.ItemErr != nil {
		u.ended = true
		u.err = c.badItem(m.ItemErr)
	} else {
		u.items = append(u.items, slices.Clone(m.RawItem))
	}
	u.signalLocked()
}

// completion ends a stream of the client, or answers a question of the server (F-101, F-108).
func (c *Connection) completion(m *protocol.Completion) {
	c.mu.Lock()
	u := c.uploads[m.InvocationID]
	if u != nil {
		u.ended = true
		if m.HasError {
			u.err = &HubError{Message: m.Error}
		}
		u.signalLocked()
		delete(c.uploads, m.InvocationID)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	if err := c.hub.manager.SetResult(c.Context(), c, m); err != nil {
		c.fail(err)
	}
}

// cancelStream ends the context of a stream that the client does not want any more (F-098).
func (c *Connection) cancelStream(id string) {
	c.mu.Lock()
	cancel := c.streams[id]
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// runStream runs a stream invocation: each item as it comes, then a completion (F-096 to F-099).
func (inv *Invocation) runStream() {
	c, id := inv.conn, inv.msg.InvocationID
	done := &protocol.Completion{InvocationID: id}
	if text := inv.stream(); text != "" {
		done.Error, done.HasError = text, true
	}
	c.mu.Lock()
	cancel := c.streams[id]
	delete(c.streams, id) // the id is free before the client can know that the stream has ended
	c.mu.Unlock()
	cancel()
	_ = c.answer(done, true) // a text can be encoded
}

// stream sends the items and returns what the client is to be told of a failure. A stream that the client has
// cancelled ends without one.
func (inv *Invocation) stream() (failure string) {
	var err error
	defer func() {
		if err != nil && inv.ctx.Err() == nil {
			inv.logFailure("stream failed", err)
			failure = describe("An error occurred on the server while streaming results.", err, inv.conn.hub.opts.EnableDetailedErrors)
		}
	}()
	seq, early := inv.openStream()
	if early != nil {
		return inv.failure(early)
	}
	defer inv.recovered(&err)
	for item, itemErr := range seq {
		if itemErr != nil {
			err = itemErr
			return ""
		}
		if inv.ctx.Err() != nil {
			return ""
		}
		f, encodeErr := encodeFrame(inv.conn.proto, &protocol.StreamItem{InvocationID: inv.msg.InvocationID, Item: item})
		if encodeErr != nil {
			inv.unencodable("an item of a stream cannot be encoded", encodeErr)
			return ""
		}
		if sendErr := inv.conn.pushOwn(&inv.ctx, f); sendErr != nil {
			return "" // the stream was cancelled while it waited
		}
	}
	return ""
}

func (inv *Invocation) openStream() (seq iter.Seq2[any, error], err error) {
	defer inv.recovered(&err)
	return inv.method.Stream(&inv.ctx, inv)
}
