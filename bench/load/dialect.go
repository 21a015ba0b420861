package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// A dialect is what a server speaks inside a transport's messages. It keeps no state, so all clients share one.
type dialect interface {
	// op is the opcode of its WebSocket messages.
	op() byte
	// invoke returns the message that calls a hub method. slot numbers the calls of a client that are under way; below
	// zero the caller wants no answer.
	invoke(slot int, target string, args ...string) []byte
	// ping returns the message that tells the server that the client is there, or nil when it is the server that asks.
	ping() []byte
	// parse reads everything that came in one message of the transport.
	parse(c *client, payload []byte) error
	// open shakes hands once the transport is there.
	open(h handshaker) error
}

// handshaker is a transport before the loop serves it: it sends and receives one message at a time.
type handshaker interface {
	send(payload []byte) error
	receive() ([]byte, error)
}

// maxSlots bounds the calls of one client that may be under way.
const maxSlots = 64

// dialects by the name that [Target.Dialect] has.
var dialects = map[string]dialect{
	"json": jsonHub{}, "messagepack": msgpackHub{}, "centrifuge": centrifuge{}, "socketio": socketIO{}, "tcp": plainTCP{},
}

// Payload returns a text of the given size that carries a moment, so that whoever receives it can say how long it was
// under way. A size below that of the moment gives the moment alone.
func payload(at int64, size int) string {
	b := fmt.Appendf(nil, "@%016x@", uint64(at))
	for len(b) < size {
		b = append(b, 'x')
	}
	return string(b)
}

// stampOf finds the moment that [payload] put into a message.
func stampOf(message []byte) (int64, bool) {
	at := bytes.IndexByte(message, '@')
	if at < 0 || len(message) < at+18 || message[at+17] != '@' {
		return 0, false
	}
	var v uint64
	for _, c := range message[at+1 : at+17] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return int64(v), true
}

// restamp puts another moment into a message that holds one.
func restamp(message []byte, at int64) {
	const digits = "0123456789abcdef"
	i := bytes.IndexByte(message, '@')
	for j := 16; j > 0; j-- {
		message[i+j] = digits[uint64(at)&15]
		at = int64(uint64(at) >> 4)
	}
}

// slotOf reads the number of a call: decimal digits up to something else.
func slotOf(b []byte) (int, error) {
	end := 0
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	slot, err := strconv.Atoi(string(b[:end]))
	if err != nil || slot < 1 || slot > maxSlots {
		return 0, fmt.Errorf("the server answered a call that was not made: %.60q", b)
	}
	return slot - 1, nil
}

var errRefused = errors.New("the server refused a call")
