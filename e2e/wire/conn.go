package wire

import (
	"context"
	"net"
	"strconv"
	"time"
)

// connKind says how the bytes of a connection are read once its request has been sent.
type connKind uint8

const (
	exchange    connKind = iota // one HTTP request and its answer
	webSocket                   // frames after a 101
	eventStream                 // server-sent events after a 200
	longPoll                    // GETs in a loop, each a TCP connection of its own
)

// eventKind says what came from the server. Its text appears in error messages.
type eventKind string

const (
	eventHead   eventKind = "status"
	eventText   eventKind = "text"  // a whole text message, or the body of a poll
	eventBinary eventKind = "bin"   // a whole binary message
	eventChunk  eventKind = "chunk" // bytes of an event stream, cut anywhere
	eventClose  eventKind = "close" // the payload of a close frame
	eventPing   eventKind = "ping"
	eventPong   eventKind = "pong"
	eventEOF    eventKind = "eof" // the TCP connection ended, also in the middle of something
	eventEnd    eventKind = "end" // an event stream ended, or a poll loop with the status that is the data
	eventPart   eventKind = "part of a message"
	eventBroken eventKind = "broken" // what no server may send; the data says what
)

// event is one thing that came from the server.
type event struct {
	kind eventKind
	data []byte
	head *response // for eventHead
}

// String writes the event as the steps of transcripts do.
func (e event) String() string {
	switch {
	case e.kind == "":
		return "nothing"
	case e.kind == eventHead:
		return string(e.kind) + " " + strconv.Itoa(e.head.status) + " " + decodePayload(e.head.body)
	case e.kind == eventClose:
		return string(e.kind) + " " + closePayload(e.data)
	case len(e.data) == 0:
		return string(e.kind)
	default:
		return string(e.kind) + " " + decodePayload(e.data)
	}
}

// conn is one connection of the client's side. Its reader goroutine puts what comes into events; all other fields
// belong to the goroutine that plays.
type conn struct {
	kind   connKind
	label  string // under which the step opened it
	target string
	tcp    net.Conn // nil for longPoll
	accept string   // the Sec-WebSocket-Accept that a 101 must carry
	events chan event
	cancel context.CancelFunc // ends the reader
	done   chan struct{}      // closed when the reader has returned

	stream   []byte    // of an event stream: what no record has been cut from yet
	rest     []byte    // of a message: the records behind the last one that was taken
	restKind eventKind // of the message that rest belongs to
	skip     []string  // patterns of records to leave out
}

// emit hands an event to the playing goroutine. It reports false when nobody wants it any more.
func (c *conn) emit(ctx context.Context, e event) bool {
	select {
	case c.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// next returns the next event, or the zero event when none comes before the deadline or the end of ctx.
func (c *conn) next(ctx context.Context, deadline time.Time) event {
	select {
	case e := <-c.events: // what is there already counts, however late it is looked at
		return e
	default:
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	select {
	case e := <-c.events:
		return e
	case <-ctx.Done():
		return event{}
	}
}

// send writes bytes. Errors are left to what follows: the transcript says what must be seen when the server has gone.
func (c *conn) send(data []byte, timeout time.Duration) {
	if c.tcp != nil {
		_ = c.tcp.SetWriteDeadline(time.Now().Add(timeout))
		_, _ = c.tcp.Write(data)
	}
}

// drop ends the TCP connection without any farewell, by FIN or, when reset is set, by RST, and waits for the reader.
// Errors only say that the connection has ended already.
func (c *conn) drop(reset bool) {
	switch tcp := c.tcp.(type) {
	case *net.TCPConn:
		if reset {
			_ = tcp.SetLinger(0)
		} else {
			_ = tcp.CloseWrite() // Close alone sends a RST when there are unread bytes
		}
		_ = tcp.Close()
	case net.Conn:
		_ = tcp.Close()
	}
	c.cancel()
	<-c.done
}
