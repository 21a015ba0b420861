package churn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"

	"signalbox/signalr/protocol"
	"signalbox/signalr/transport"
)

// errClosed is a Close message without an error: the server may close a connection at any time.
var errClosed = errors.New("the server has closed the connection")

// client speaks the hub protocol over a link. One goroutine uses it.
type client struct {
	link  link
	proto protocol.HubProtocol
	rng   *rand.Rand
	in    []byte // received, not yet looked at
	ids   int
	tick  int // the latest of the server's broadcasts

	// What stateful reconnect needs (F-127 to F-135): the server's acknowledgements are ignored, so that all is sent again
	// from the first message on. redial is nil without it.
	redial func() (link, error)
	sent   []protocol.Message
	next   int64 // number of the next message that comes; 0 until the server has said it
	latest int64 // highest number that has come
	acked  int64 // the last one that was acknowledged
}

// shakeHands chooses the protocol and waits for the answer.
func (c *client) shakeHands(ctx context.Context, version int) error {
	if err := c.link.send(ctx, fmt.Appendf(nil, "{\"protocol\":%q,\"version\":%d}\x1e", c.proto.Name(), version)); err != nil {
		return err
	}
	for len(c.in) < len("{}\x1e") {
		p, err := c.link.receive(ctx)
		if err != nil {
			return err
		}
		c.in = append(c.in, p...)
	}
	if answer := string(c.in[:3]); answer != "{}\x1e" {
		return fmt.Errorf("the handshake was answered %q", c.in)
	}
	c.in = c.in[3:]
	return nil
}

// write sends messages together, sometimes cut into two sends at any byte.
func (c *client) write(ctx context.Context, msgs ...protocol.Message) error {
	if c.redial != nil {
		c.sent = append(c.sent, msgs...)
	}
	err := c.transmit(ctx, msgs)
	if err != nil && c.redial != nil {
		return c.resume(ctx, err) // sends all that was sent
	}
	return err
}

func (c *client) transmit(ctx context.Context, msgs []protocol.Message) (err error) {
	var p []byte
	for _, m := range msgs {
		if p, err = c.proto.Append(p, m); err != nil {
			return err
		}
	}
	if len(p) > 1 && c.rng.IntN(4) == 0 {
		n := 1 + c.rng.IntN(len(p)-1)
		for c.proto.TransferFormat() == transport.Text && !utf8.RuneStart(p[n]) {
			n-- // a WebSocket message of text is whole characters
		}
		if err := c.link.send(ctx, p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return c.link.send(ctx, p)
}

// maxRedials is how many sockets may be cut before one can be resumed.
const maxRedials = 10

// resume opens a new socket after one that was cut, and sends and drops what both sides have or have not (F-133).
func (c *client) resume(ctx context.Context, cause error) error {
	if errors.Is(cause, errClosed) || ctx.Err() != nil {
		return cause
	}
	for attempt := 0; ; attempt++ {
		link, err := c.redial()
		if err == nil {
			c.link, c.in, c.next = link, nil, 0
			again := append([]protocol.Message{&protocol.Sequence{SequenceID: 1}}, c.sent...)
			err = c.transmit(ctx, again)
		}
		if err == nil || errors.Is(err, errGone) || attempt == maxRedials {
			return err
		}
	}
}

// ackEvery is how many messages may be unacknowledged.
const ackEvery = 10

// read returns the next message that is of interest. It answers the server's questions, and checks that broadcasts come
// in their order.
func (c *client) read(ctx context.Context) (protocol.Message, error) {
	for {
		m, err := c.readAny(ctx)
		if err != nil {
			return nil, err
		}
		if seq, ok := m.(*protocol.Sequence); ok {
			c.next = seq.SequenceID
			continue
		}
		if t := m.Type(); c.redial != nil && t <= protocol.CancelInvocationType {
			if c.next == 0 {
				continue // before the Sequence (F-135)
			}
			n := c.next
			c.next++
			if n <= c.latest {
				continue
			}
			if n > c.latest+1 {
				return nil, fmt.Errorf("message %d came after %d", n, c.latest)
			}
			c.latest = n
			if n-c.acked >= ackEvery || t == protocol.CompletionType {
				c.acked = n
				if err := c.transmit(ctx, []protocol.Message{&protocol.Ack{SequenceID: n}}); err != nil {
					if err := c.resume(ctx, err); err != nil {
						return nil, err
					}
				}
			}
		}
		switch m := m.(type) {
		case *protocol.Ping, *protocol.Ack:
		case *protocol.Close:
			if m.Error != "" {
				return nil, fmt.Errorf("the server has closed the connection: %s", m.Error)
			}
			return nil, errClosed
		case *protocol.Invocation:
			if passed, err := c.invoked(ctx, m); err != nil || !passed {
				return m, err
			}
		default:
			return m, nil
		}
	}
}

// invoked handles what the server invokes; passed is false for what the caller wants to see.
func (c *client) invoked(ctx context.Context, m *protocol.Invocation) (passed bool, err error) {
	var n int
	switch m.Target {
	case "Double":
		if err := c.proto.DecodeArguments(m.RawArguments, &n); err != nil {
			return false, err
		}
		return true, c.write(ctx, &protocol.Completion{InvocationID: m.InvocationID, HasResult: true, Result: 2 * n})
	case "Tick":
		if err := c.proto.DecodeArguments(m.RawArguments, &n); err != nil {
			return false, err
		}
		if n <= c.tick {
			return false, fmt.Errorf("broadcast %d came after %d", n, c.tick)
		}
		c.tick = n
		return true, nil
	}
	return false, nil
}

// readAny returns the next message.
func (c *client) readAny(ctx context.Context) (protocol.Message, error) {
	for {
		m, n, err := c.proto.Parse(c.in)
		if err != nil {
			return nil, fmt.Errorf("parsing %.200q: %w", c.in, err)
		}
		if n > 0 {
			c.in = c.in[n:]
			return m, nil
		}
		p, err := c.link.receive(ctx)
		if err != nil {
			if c.redial != nil {
				if err := c.resume(ctx, err); err != nil {
					return nil, err
				}
				continue
			}
			if errors.Is(err, io.EOF) && len(c.in) > 0 {
				err = fmt.Errorf("the connection ends inside a message: %q", c.in)
			}
			return nil, err
		}
		c.in = append(c.in, p...)
	}
}

// newID returns an id that the client has not used.
func (c *client) newID() string {
	c.ids++
	return strconv.Itoa(c.ids)
}

// call invokes a method and returns its completion. told gets what the server tells meanwhile, if it is not nil.
func (c *client) call(ctx context.Context, told *[]string, target string, args ...any) (*protocol.Completion, error) {
	id := c.newID()
	if args == nil {
		args = []any{}
	}
	if err := c.write(ctx, &protocol.Invocation{InvocationID: id, Target: target, Arguments: args}); err != nil {
		return nil, err
	}
	return c.await(ctx, id, told, nil)
}

// await reads until the completion with an id comes, giving each item before it to item.
func (c *client) await(ctx context.Context, id string, told *[]string, item func(int) error) (*protocol.Completion, error) {
	for {
		m, err := c.read(ctx)
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *protocol.Invocation: // Told, also by others
			var text string
			if err := c.proto.DecodeArguments(m.RawArguments, &text); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Target, err)
			}
			if told != nil {
				*told = append(*told, text)
			}
		case *protocol.StreamItem:
			var n int
			if err := c.proto.Decode(m.RawItem, &n); err != nil {
				return nil, err
			}
			if item == nil || m.InvocationID != id {
				return nil, fmt.Errorf("item %d of stream %s came while %s was waited for", n, m.InvocationID, id)
			}
			if err := item(n); err != nil {
				return nil, err
			}
		case *protocol.Completion:
			if m.InvocationID != id {
				return nil, fmt.Errorf("completion of %s came while %s was waited for", m.InvocationID, id)
			}
			return m, nil
		default:
			return nil, fmt.Errorf("unexpected message of type %d", m.Type())
		}
	}
}

// result decodes the result of a completion.
func result[T any](c *client, done *protocol.Completion) (v T, err error) {
	if done.HasError {
		return v, fmt.Errorf("a call failed: %s", done.Error)
	}
	return v, c.proto.Decode(done.RawResult, &v)
}
