package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// centrifuge is the JSON client protocol of Centrifuge. Hub methods are RPCs whose data is the array of arguments;
// deliveries are publications.
type centrifuge struct{}

var (
	centrifugePush  = []byte(`{"push":`)
	centrifugeID    = []byte(`{"id":`)
	centrifugeError = []byte(`"error":`)
)

func (centrifuge) op() byte { return opText }

func (centrifuge) invoke(slot int, target string, args ...string) []byte {
	if slot < 0 {
		slot = maxSlots - 1 // an RPC always has an answer
	}
	b := fmt.Appendf(nil, `{"id":%d,"rpc":{"method":%s,"data":[`, slot+1, quote(target))
	for i, a := range args {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(a)...)
	}
	return append(b, "]}}"...)
}

func (centrifuge) ping() []byte { return nil }

func (centrifuge) parse(c *client, p []byte) error {
	for m := range bytes.SplitSeq(p, []byte{'\n'}) {
		switch {
		case len(m) == 0:
		case string(m) == "{}":
			c.send(m)
		case bytes.HasPrefix(m, centrifugePush):
			c.delivered(m)
		case bytes.HasPrefix(m, centrifugeID):
			if bytes.Contains(m, centrifugeError) {
				return fmt.Errorf("%w: %.200q", errRefused, m)
			}
			slot, err := slotOf(m[len(centrifugeID):])
			if err != nil {
				return err
			}
			c.completed(slot, m)
		}
	}
	return nil
}

func (centrifuge) open(h handshaker) error {
	if err := h.send([]byte(`{"id":1,"connect":{}}`)); err != nil {
		return err
	}
	answer, err := h.receive()
	if err != nil {
		return fmt.Errorf("waiting for the answer to connect: %w", err)
	}
	if !bytes.Contains(answer, []byte(`"connect":`)) {
		return fmt.Errorf("the server answered connect with %.200q", answer)
	}
	return nil
}

// socketIO is version 4 of Socket.IO over a WebSocket of Engine.IO 4. Hub methods are events, with acknowledgement when
// an answer is wanted; deliveries are events.
type socketIO struct{}

const networkDelay = 50 * time.Millisecond

func (socketIO) op() byte { return opText }

func (socketIO) invoke(slot int, target string, args ...string) []byte {
	b := []byte("42")
	if slot >= 0 {
		b = strconv.AppendInt(b, int64(slot+1), 10)
	}
	b = append(append(b, '['), quote(target)...)
	for _, a := range args {
		b = append(append(b, ','), quote(a)...)
	}
	return append(b, ']')
}

func (socketIO) ping() []byte { return nil }

func (socketIO) parse(c *client, p []byte) error {
	switch {
	case len(p) == 1 && p[0] == '2':
		c.send([]byte("3"))
	case bytes.HasPrefix(p, []byte("42")):
		c.delivered(p)
	case bytes.HasPrefix(p, []byte("43")):
		slot, err := slotOf(p[2:])
		if err != nil {
			return err
		}
		c.completed(slot, p)
	case bytes.HasPrefix(p, []byte("1")), bytes.HasPrefix(p, []byte("41")):
		return errors.New("the server closed the session")
	}
	return nil
}

func (socketIO) open(h handshaker) error {
	if err := expect(h, "0"); err != nil {
		return err
	}
	// The server listens for packets only a moment after it has sent its own, and loses one that comes before. It takes
	// a network's delay for granted, so it gets one.
	time.Sleep(networkDelay)
	if err := h.send([]byte("40")); err != nil {
		return err
	}
	return expect(h, "40")
}

// expect waits for a packet of a type.
func expect(h handshaker, kind string) error {
	packet, err := h.receive()
	if err != nil {
		return fmt.Errorf("waiting for a packet %s: %w", kind, err)
	}
	if !bytes.HasPrefix(packet, []byte(kind)) {
		return fmt.Errorf("waiting for a packet %s: got %.200q", kind, packet)
	}
	return nil
}

// plainTCP is no protocol at all: the server sends back every byte. Calls of one client are answered in their order, and
// all of them are equally long.
type plainTCP struct{}

func (plainTCP) op() byte { return opBinary }

// invoke has the length of the same call in JSON over a WebSocket.
func (plainTCP) invoke(slot int, target string, args ...string) []byte {
	return appendFrame(nil, opText, jsonHub{}.invoke(slot, target, args...))
}

func (plainTCP) ping() []byte                    { return nil }
func (plainTCP) parse(_ *client, _ []byte) error { return nil }
func (plainTCP) open(handshaker) error           { return nil }

// parseEchoes takes whole answers off b.
func (c *client) parseEchoes(b []byte) (int, error) {
	taken := 0
	for c.echoSize > 0 && len(b)-taken >= c.echoSize {
		m := b[taken : taken+c.echoSize]
		taken += c.echoSize
		at := bytes.Index(m, jsonInvocation)
		if at < 0 {
			return taken, fmt.Errorf("the server sent back %.60q", m)
		}
		slot, err := slotOf(m[at+len(jsonInvocation):])
		if err != nil {
			return taken, err
		}
		c.completed(slot, m)
	}
	return taken, nil
}
