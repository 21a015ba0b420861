package wire

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// pingFrame is the keep-alive of the MessagePack hub protocol, [6].
var pingFrame = []byte{2, 0x91, 6}

// hubSocket is a WebSocket that speaks the MessagePack hub protocol. It is used by one goroutine.
type hubSocket struct {
	*conn
	timeout time.Duration
	// raw says that the handshake is not done: the next message of the server is no MessagePack.
	raw bool
	// queue holds the frames behind the last one that was taken out of a message.
	queue [][]byte
	// closed says how the connection ended, as `close 1000 ""`; empty while it is open.
	closed string
	// cancelled are the ids of the streams that the client has cancelled: items that were on their way are left out.
	cancelled map[string]bool
}

// openHub opens a WebSocket without negotiation.
func (r *Replayer) openHub(ctx context.Context) (*hubSocket, error) {
	c, err := r.open(ctx, webSocket, &request{method: "GET", target: "/hub"})
	if err != nil {
		return nil, err
	}
	if e := c.next(ctx, time.Now().Add(r.timeout())); e.kind != eventHead || e.head.status != 101 || e.head.value("Sec-WebSocket-Accept") != c.accept {
		c.drop(false)
		return nil, &MismatchError{Want: "status 101", Got: e.String()}
	}
	return &hubSocket{conn: c, timeout: r.timeout(), raw: true, cancelled: map[string]bool{}}, nil
}

// handshake makes the connection one of the MessagePack hub protocol. The answer comes in a binary message (F-049).
func (s *hubSocket) handshake(ctx context.Context) error {
	s.write(opBinary, []byte("{\"protocol\":\"messagepack\",\"version\":1}\x1e"))
	if e := s.message(ctx, time.Now().Add(s.timeout)); e.kind != eventBinary || string(e.data) != "{}\x1e" {
		return &MismatchError{Want: "bin {}␞", Got: e.String()}
	}
	s.raw = false
	return nil
}

// write sends one message.
func (s *hubSocket) write(opcode byte, data []byte) {
	s.send(frame{fin: true, opcode: opcode, payload: data}.masked(), s.timeout)
}

// message returns the next message, or what the connection ended with. It answers pings and close frames.
func (s *hubSocket) message(ctx context.Context, deadline time.Time) event {
	for s.closed == "" {
		e := s.next(ctx, deadline)
		switch e.kind {
		case eventPing:
			s.send(frame{fin: true, opcode: opPong, payload: e.data}.masked(), s.timeout)
		case eventPong:
		case eventClose:
			s.send(frame{fin: true, opcode: opClose, payload: e.data}.masked(), s.timeout)
			s.closed = describeClose(e.data)
		case eventText, eventBinary, "":
			return e
		default:
			s.closed = e.String()
		}
	}
	return event{}
}

// describeClose writes the payload of a close frame as the recordings do.
func describeClose(payload []byte) string {
	if len(payload) < 2 {
		return "close " + closePayload(payload)
	}
	return fmt.Sprintf("close %s %q", closePayload(payload[:2]), payload[2:])
}

// frame returns the next hub message with its length prefix, or nil when none comes before the deadline or the end of
// the connection. Pings and items of cancelled streams are left out.
func (s *hubSocket) frame(ctx context.Context, deadline time.Time) ([]byte, error) {
	for {
		for len(s.queue) == 0 {
			e := s.message(ctx, deadline)
			switch e.kind {
			case "":
				return nil, nil
			case eventText: // F-049
				return nil, &MismatchError{Want: "a binary message", Got: e.String()}
			}
			for rest := e.data; len(rest) > 0; {
				var one []byte
				if one, rest = cutFrame(rest); one == nil { // F-061: whole hub messages only
					return nil, &MismatchError{Want: "whole hub messages", Got: hexPayload(e.data)}
				}
				s.queue = append(s.queue, one)
			}
		}
		next := s.queue[0]
		s.queue = s.queue[1:]
		if m, ok := parseFrame(next); ok && m.kind == typeStreamItem && s.cancelled[m.id] || bytes.Equal(next, pingFrame) {
			continue
		}
		return next, nil
	}
}

// collect returns the frames that come, joined, until they are as long as want or nothing more comes in that time.
func (s *hubSocket) collect(ctx context.Context, want int, d time.Duration) ([]byte, error) {
	deadline := time.Now().Add(d)
	var got []byte
	for len(got) < want {
		next, err := s.frame(ctx, deadline)
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		got = append(got, next...)
	}
	return got, nil
}
