package load

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// jsonHub is SignalR's JSON hub protocol.
type jsonHub struct{}

const recordSeparator = 0x1e

var (
	jsonType       = []byte(`"type":`)
	jsonInvocation = []byte(`"invocationId":"`)
	jsonError      = []byte(`"error":`)
	jsonHandshake  = []byte("{}\x1e")
)

// quote is a string in JSON.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can always be marshalled
	}
	return b
}

func (jsonHub) op() byte { return opText }

func (jsonHub) invoke(slot int, target string, args ...string) []byte {
	b := []byte(`{"type":1,`)
	if slot >= 0 {
		b = fmt.Appendf(b, `"invocationId":"%d",`, slot+1)
	}
	b = fmt.Appendf(b, `"target":%s,"arguments":[`, quote(target))
	for i, a := range args {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(a)...)
	}
	return append(b, "]}\x1e"...)
}

func (jsonHub) ping() []byte { return []byte("{\"type\":6}\x1e") }

func (jsonHub) parse(c *client, p []byte) error {
	for len(p) > 0 {
		end := bytes.IndexByte(p, recordSeparator)
		if end < 0 {
			return errors.New("the server sent a message without record separator")
		}
		m := p[:end]
		p = p[end+1:]
		at := bytes.Index(m, jsonType)
		if at < 0 || at+len(jsonType) == len(m) {
			return fmt.Errorf("the server sent a message without type: %.60q", m)
		}
		switch m[at+len(jsonType)] {
		case '1':
			c.delivered(m)
		case '3':
			id := bytes.Index(m, jsonInvocation)
			if id < 0 {
				return fmt.Errorf("the server completed nothing: %.60q", m)
			}
			slot, err := slotOf(m[id+len(jsonInvocation):])
			if err != nil {
				return err
			}
			if bytes.Contains(m, jsonError) {
				return fmt.Errorf("%w: %.200q", errRefused, m)
			}
			c.completed(slot, m)
		case '7':
			return fmt.Errorf("the server sent %s", m)
		}
	}
	return nil
}

func (jsonHub) open(h handshaker) error { return shakeHands(h, "json") }

func shakeHands(h handshaker, protocol string) error {
	if err := h.send([]byte(`{"protocol":"` + protocol + `","version":1}` + "\x1e")); err != nil {
		return err
	}
	answer, err := h.receive()
	if err != nil {
		return fmt.Errorf("waiting for the handshake's answer: %w", err)
	}
	if !bytes.HasPrefix(answer, jsonHandshake) { // one poll may bring a ping as well
		return fmt.Errorf("the server answered the handshake with %.200q", answer)
	}
	return nil
}

// msgpackHub is SignalR's MessagePack hub protocol.
type msgpackHub struct{}

func (msgpackHub) op() byte { return opBinary }

func appendMsgpackString(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 32:
		b = append(b, 0xa0|byte(n))
	case n < 1<<8:
		b = append(b, 0xd9, byte(n))
	default:
		b = append(b, 0xda, byte(n>>8), byte(n)) // nothing here is longer than 64 KiB
	}
	return append(b, s...)
}

func lengthPrefixed(m []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(len(m))), m...)
}

func (msgpackHub) invoke(slot int, target string, args ...string) []byte {
	b := []byte{0x96, 1, 0x80} // [Invocation, {}, id, target, [args], []]
	if slot < 0 {
		b = append(b, 0xc0)
	} else {
		b = appendMsgpackString(b, strconv.Itoa(slot+1))
	}
	b = appendMsgpackString(b, target)
	b = append(b, 0x90|byte(len(args)))
	for _, a := range args {
		b = appendMsgpackString(b, a)
	}
	return lengthPrefixed(append(b, 0x90))
}

func (msgpackHub) ping() []byte { return []byte{2, 0x91, 6} }

func (msgpackHub) parse(c *client, p []byte) error {
	for len(p) > 0 {
		size, n := binary.Uvarint(p)
		if n <= 0 || size > uint64(len(p)-n) || size < 2 {
			return fmt.Errorf("the server sent an odd message %.60q", p)
		}
		m := p[n : n+int(size)]
		p = p[n+int(size):]
		switch m[1] {
		case 1:
			c.delivered(m)
		case 3:
			if err := completedMsgpack(c, m); err != nil {
				return err
			}
		case 7:
			return fmt.Errorf("the server sent %q", m)
		}
	}
	return nil
}

// completedMsgpack reads [3, headers, id, kind, result]: headers are empty, the id has one or two digits.
func completedMsgpack(c *client, m []byte) error {
	rest := m[2:]
	switch {
	case len(rest) > 0 && rest[0] == 0x80:
		rest = rest[1:]
	case len(rest) > 2 && rest[0] == 0xde:
		rest = rest[3:]
	}
	if len(rest) == 0 || rest[0]&0xe0 != 0xa0 || len(rest) < 2+int(rest[0]&0x1f) {
		return fmt.Errorf("the server sent an odd completion %.60q", m)
	}
	digits := int(rest[0] & 0x1f)
	slot, err := slotOf(rest[1 : 1+digits])
	if err != nil {
		return err
	}
	if rest[1+digits] == 1 {
		return fmt.Errorf("%w: %.200q", errRefused, m)
	}
	c.completed(slot, m)
	return nil
}

func (msgpackHub) open(h handshaker) error { return shakeHands(h, "messagepack") }
