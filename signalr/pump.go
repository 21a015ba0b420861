package signalr

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
	"signalbox/signalr/transport"
)

// blocker is what the pump waits for before it can go on. Its method is called with the connection's lock held.
type blocker interface {
	// stillBlocks says whether the pump must go on waiting.
	stillBlocks(c *Connection) bool
}

type startBlocker struct{} // OnConnected runs (F-058)

func (startBlocker) stillBlocks(c *Connection) bool { return c.phase == phaseStarting }

type turnBlocker struct{} // as many invocations run as may (F-092)

func (turnBlocker) stillBlocks(c *Connection) bool {
	return int(c.running) >= c.hub.opts.MaximumParallelInvocationsPerClient
}

// headStart lets an invocation that has just begun go first: what comes right behind it and needs no turn waits until
// it has ended, or a moment has passed. The reference runs a handler up to its first wait before it reads on, so that
// the answers to pipelined calls come in their order; this keeps that order for handlers that do not wait.
type headStart struct{}

const headStartTime = 20 * time.Millisecond

func (headStart) stillBlocks(c *Connection) bool {
	return int(c.running)+len(c.streams) > 0 && c.http.Now().Sub(c.lastStart) < headStartTime
}

// statefulInbox is how many bytes of a client that uses stateful reconnect may wait.
const statefulInbox = 1 << 20

var errInboxFull error = &namedError{"InvalidDataException", "The client has sent too much that has to wait."}

// Receive implements [httpconn.App]. Bytes that cannot be looked at now are kept; while too many are, it waits.
func (c *Connection) Receive(ctx context.Context, data []byte) (httpconn.Task, error) {
	c.mu.Lock()
	for {
		if c.phase == phaseEnding {
			c.mu.Unlock()
			return nil, nil
		}
		if !c.pumping && c.blocked == nil {
			break
		}
		limit := c.hub.opts.Connection.ApplicationMaxBufferSize
		if c.replay != nil && limit >= 0 {
			limit = max(limit, statefulInbox)
		}
		if len(c.inbox) == 0 || limit < 0 || len(c.inbox)+len(data) <= limit {
			c.inbox = append(c.inbox, data...)
			c.scanAcksLocked()
			c.mu.Unlock()
			return nil, nil
		}
		if c.replay != nil {
			// The acknowledgement that would let things go on may be behind what is full: waiting could be for ever. A
			// client that heeds its own buffer's bound does not come here.
			c.mu.Unlock()
			c.fail(errInboxFull)
			return nil, nil
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-c.Context().Done():
			return nil, httpconn.ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		c.mu.Lock()
	}
	c.pumping = true
	kept := len(c.inbox) > 0
	if kept {
		c.inbox = append(c.inbox, data...)
		data = c.inbox
	}
	c.mu.Unlock()
	return c.pump(data, kept), nil
}

// resume makes the caller the pump if the pump waits for something that it need not wait for any more. What it
// returns is to be run by the caller.
func (c *Connection) resume() httpconn.Task {
	c.mu.Lock()
	if c.pumping || c.blocked == nil || c.phase == phaseEnding || c.blocked.stillBlocks(c) {
		c.mu.Unlock()
		return nil
	}
	c.blocked, c.pumping = nil, true
	data := c.inbox
	c.mu.Unlock()
	return c.pump(data, true)
}

// resumption is a Connection whose pump may be able to go on.
type resumption Connection

// Run implements [httpconn.Task].
func (r *resumption) Run() { runAll((*Connection)(r).resume()) }

// step is a task after which another may be due.
type step interface {
	httpconn.Task
	// do does the work and returns what is to be run next, or nil.
	do() httpconn.Task
}

// runAll runs t and what follows it, one after the other: each call that waited for the one before would otherwise make
// the stack deeper.
func runAll(t httpconn.Task) {
	for t != nil {
		s, ok := t.(step)
		if !ok {
			t.Run()
			return
		}
		t = s.do()
	}
}

// pump handles the messages of data in order until there is no whole one left or one must wait. kept says that data is
// the inbox; else it is the caller's, and what is left of it is copied. The task that is returned, the last invocation,
// is for the caller to run; it uses data until it has run.
func (c *Connection) pump(data []byte, kept bool) httpconn.Task {
	for {
		n, task, wait := c.consume(data, kept)
		rest := data[n:]
		c.mu.Lock()
		if c.phase == phaseEnding {
			c.inbox = nil
			c.stopPumpLocked()
			c.mu.Unlock()
			return task
		}
		arrived := len(c.inbox)
		if kept {
			arrived -= len(data)
			c.inbox = c.inbox[n:]
			if c.replay != nil {
				c.replay.scanned = max(c.replay.scanned-n, 0)
			}
		} else if len(rest) > 0 {
			c.inbox = slices.Concat(rest, c.inbox)
			if c.replay != nil {
				c.replay.scanned = 0
			}
		}
		if len(c.inbox) == 0 {
			c.inbox = nil
		}
		if wait != nil && wait.stillBlocks(c) {
			c.makeRoomLocked()
			c.blocked = wait
			c.stopPumpLocked()
			c.scanAcksLocked()
			c.mu.Unlock()
			if wait == (headStart{}) {
				time.AfterFunc(headStartTime, func() { c.http.Workers().Do((*resumption)(c)) })
			}
			return task
		}
		if arrived == 0 && wait == nil {
			c.stopPumpLocked()
			c.openRoomLocked() // whoever comes is the pump
			c.lastReceived = c.http.Now()
			over := c.inputOver
			c.mu.Unlock()
			switch {
			case over != nil && task != nil:
				return &lastCall{c, task, *over}
			case over != nil:
				c.inputEnded(*over)
			}
			return task
		}
		keptTask := kept
		data, kept = c.inbox, true
		c.mu.Unlock()
		c.start(task, keptTask) // more came behind it
	}
}

// lastCall is the last that a client has asked for before it left; the connection ends behind it.
type lastCall struct {
	c    *Connection
	task httpconn.Task
	err  error
}

// Run implements [httpconn.Task].
func (l *lastCall) Run() {
	l.task.Run()
	l.c.inputEnded(l.err)
}

func (c *Connection) stopPumpLocked() {
	c.pumping = false
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// makeRoomLocked lets those go on who wait to put more into the inbox: at half of the bound (F-004).
func (c *Connection) makeRoomLocked() {
	if len(c.inbox) <= c.hub.opts.Connection.ApplicationMaxBufferSize/2 {
		c.openRoomLocked()
	}
}

func (c *Connection) openRoomLocked() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// consume handles messages and returns how many bytes they were. task is the last of them that is an invocation, if nothing
// behind it was handled: whoever brought the bytes runs it, others are for workers. wait is what the next message must wait
// for.
func (c *Connection) consume(data []byte, kept bool) (n int, task httpconn.Task, wait blocker) {
	for n < len(data) && !c.isEnding() {
		if c.proto == nil {
			k, t, err := c.shakeHands(data[n:])
			if k == 0 && err == nil {
				return n, nil, nil
			}
			return n + k, t, startBlocker{}
		}
		m, k, err := c.parse(data[n:])
		if err != nil {
			if wait = c.headStart(); wait != nil {
				return n, task, wait
			}
			c.fail(err)
			return len(data), task, nil
		}
		if k == 0 {
			return n, task, nil
		}
		if m != nil {
			if wait = c.waitFor(m); wait != nil {
				return n, task, wait
			}
			c.start(task, kept)
			task = c.handle(m)
		}
		n += k
	}
	return n, task, nil
}

// start has a worker run an invocation, with a copy of what it needs of the input unless that is kept. There may be none.
func (c *Connection) start(task httpconn.Task, kept bool) {
	if task == nil {
		return
	}
	if inv, ok := task.(*Invocation); ok && !kept {
		inv.msg.RawArguments = slices.Clone(inv.msg.RawArguments)
	}
	c.http.Workers().Do(task)
}

// waitFor says what a message has to wait for before it is handled.
func (c *Connection) waitFor(m protocol.Message) blocker {
	switch m := m.(type) {
	case *protocol.Invocation:
		method := c.hub.method(m.Target)
		if method == nil || m.Stream != (method.Stream != nil) {
			return nil // answered at once
		}
		var wait blocker = headStart{}
		if !m.Stream && method.StreamArgs == 0 {
			wait = turnBlocker{} // streams need no turn (F-093)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if wait.stillBlocks(c) {
			return wait
		}
	case *protocol.Close:
		return c.headStart()
	case *protocol.StreamItem:
		c.mu.Lock()
		defer c.mu.Unlock()
		if u := c.uploads[m.InvocationID]; u != nil && u.stillBlocks(c) {
			return u
		}
	}
	return nil
}

// headStart is what the end of a connection waits for, so that what was asked in front of it is answered, or nil.
func (c *Connection) headStart() blocker {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (headStart{}).stillBlocks(c) {
		return headStart{}
	}
	return nil
}

// parse reads one message within the size limit (F-063).
func (c *Connection) parse(data []byte) (protocol.Message, int, error) {
	limit := c.hub.opts.MaximumReceiveMessageSize
	over := limit >= 0 && len(data) > limit
	if over {
		data = data[:limit]
	}
	m, n, err := c.proto.Parse(data)
	if over && n == 0 && err == nil {
		err = protocol.InvalidData("The maximum message size of " + strconv.Itoa(limit) +
			"B was exceeded. The message size can be configured in AddHubOptions.")
	}
	return m, n, err
}

// handle does what one message asks for that need not wait (F-091, F-095). An invocation is left to be run.
func (c *Connection) handle(m protocol.Message) httpconn.Task {
	if c.replay != nil && m.Type() <= protocol.CancelInvocationType && !c.replay.count() {
		return nil
	}
	switch m := m.(type) {
	case *protocol.Invocation:
		if inv := c.accept(m); inv != nil {
			return inv
		}
	case *protocol.StreamItem:
		c.streamItem(m)
	case *protocol.Completion:
		c.completion(m)
	case *protocol.CancelInvocation:
		c.cancelStream(m.InvocationID)
	case *protocol.Ack:
		if c.replay != nil {
			c.replay.acknowledge(m.SequenceID)
		}
	case *protocol.Sequence:
		if c.replay != nil {
			if err := c.replay.sequence(m.SequenceID); err != nil {
				c.fail(err)
			}
		}
	case *protocol.Ping:
		c.mu.Lock()
		c.pinged = true
		c.mu.Unlock()
	case *protocol.Close:
		var cause error
		if m.Error != "" {
			cause = &HubError{Message: m.Error}
		}
		c.end(&protocol.Close{}, ending{cause: cause})
	}
	return nil
}

// shakeHands reads the handshake and answers it (F-054 to F-058). n is 0 while it is not complete. The task runs
// OnConnected.
func (c *Connection) shakeHands(data []byte) (n int, task httpconn.Task, err error) {
	const unexpected = "An unexpected error occurred during connection handshake."
	refused := errors.New("handshake refused")
	limit := c.hub.opts.MaximumReceiveMessageSize
	over := limit >= 0 && len(data) > limit
	if over {
		data = data[:limit]
	}
	req, n, err := protocol.ParseHandshakeRequest(data)
	switch {
	case err != nil:
		c.refuse(describe(unexpected, err, c.hub.opts.EnableDetailedErrors))
		return n, nil, refused
	case n == 0 && over:
		c.refuse("Handshake was canceled.")
		return 0, nil, refused
	case n == 0:
		return 0, nil, nil
	}
	p := c.hub.protocolNamed(req.Protocol)
	switch {
	case p == nil:
		c.refuse("The protocol '" + req.Protocol + "' is not supported.")
	case c.http.Transport().Formats()&p.TransferFormat() == 0:
		c.refuse("Cannot use the '" + req.Protocol + "' protocol on the current transport. The transport does not support '" +
			p.TransferFormat().String() + "' transfer format.")
	case req.Version > p.Version():
		c.refuse("The server does not support version " + strconv.Itoa(req.Version) + " of the '" + req.Protocol + "' protocol.")
	default:
		return n, c.welcome(p, req.Version), nil
	}
	return n, nil, refused
}

// refuse answers a handshake with an error and ends the connection (F-055). Nothing happens if the handshake is done.
func (c *Connection) refuse(text string) {
	c.mu.Lock()
	if c.phase != phaseHandshake {
		c.mu.Unlock()
		return
	}
	c.phase = phaseEnding
	c.stopHandshakeLocked()
	c.mu.Unlock()
	c.hub.opts.Logger.Info("handshake refused", "connection", c.ID(), "reason", text)
	_ = c.http.SendLast(httpconn.NewFrame(transport.Text, protocol.AppendHandshakeResponse(nil, text)))
	c.lifetime.End()
	c.http.Finish(nil)
}

// welcome fixes the protocol and answers the handshake; the task runs OnConnected, and nothing is read until it has.
func (c *Connection) welcome(p protocol.HubProtocol, version int) httpconn.Task {
	stateful := version >= 2 && c.http.Stateful() // F-128
	c.mu.Lock()
	if c.phase != phaseHandshake { // too late
		c.mu.Unlock()
		return nil
	}
	c.phase, c.proto = phaseStarting, p
	if stateful {
		c.replay = newReplay(c)
	}
	c.stopHandshakeLocked()
	c.lastPing = c.http.Now()
	c.mu.Unlock()
	c.hub.opts.Logger.Debug("handshake complete", "connection", c.ID(), "protocol", p.Name(), "version", version)
	if stateful {
		c.http.AllowResume(true)
	}
	// The answer has the format of the protocol already (F-049). It waits until the lifetime manager knows the connection:
	// who has read it can be sent to.
	c.http.Queue(httpconn.NewFrame(p.TransferFormat(), protocol.AppendHandshakeResponse(nil, "")))
	return (*starting)(c)
}

// starting is a Connection whose OnConnected is to be run.
type starting Connection

// Run implements [httpconn.Task].
func (s *starting) Run() { runAll(s) }

func (s *starting) do() httpconn.Task {
	c := (*Connection)(s)
	var e *ending
	err := c.hub.manager.OnConnected(c.Context(), c)
	c.http.Flush()
	if err != nil {
		c.hub.opts.Logger.Error("the lifetime manager's OnConnected failed", "connection", c.ID(), "error", err)
		e = &ending{failed: err, silent: true} // nothing is sent (F-112)
	} else if err := c.hub.callConnected(c.Context(), &c.caller); err != nil {
		c.hub.opts.Logger.Error("OnConnected failed", "connection", c.ID(), "error", err)
		text := describe("Connection closed with an error.", err, c.hub.opts.EnableDetailedErrors)
		if f, err := encodeFrame(c.proto, &protocol.Close{Error: text}); err == nil && !c.isEnding() {
			_ = c.http.SendLast(f)
		}
		e = &ending{silent: true}
	}
	c.mu.Lock()
	ended := c.phase == phaseEnding
	switch {
	case e != nil:
		c.phase, c.ending = phaseEnding, e
		c.inbox = nil
	case !ended:
		c.phase = phaseOpen
	}
	c.mu.Unlock()
	if e != nil || ended {
		c.lifetime.End()
		(*goodbye)(c).Run()
		return nil
	}
	return c.resume()
}
