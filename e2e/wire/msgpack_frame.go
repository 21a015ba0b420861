package wire

import (
	"encoding/binary"
	"slices"
)

// Types of hub messages that the replay of MessagePack recordings has to know (F-065 to F-069).
const (
	typeInvocation = 1
	typeStreamItem = 2
	typeCompletion = 3
	typeCancel     = 5
)

// cutFrame cuts the first length-prefixed hub message (F-060) off data and returns it with its prefix.
// It returns nil when data does not hold a whole one.
func cutFrame(data []byte) (frame, rest []byte) {
	n, prefix := binary.Uvarint(data)
	if prefix <= 0 || n > uint64(len(data)-prefix) {
		return nil, data
	}
	end := prefix + int(n)
	return data[:end:end], data[end:]
}

// hubMessage is what the replay has to see of a hub message: its type and its invocation id.
type hubMessage struct {
	kind   byte
	id     string
	before []byte // the message up to the id
	behind []byte // and what follows it
}

// parseFrame looks into a whole length-prefixed hub message. It reports false for messages without an id, and for
// those that a recording would have to spell in a way of its own: with headers, or with an id of 256 bytes and more.
func parseFrame(frame []byte) (m hubMessage, ok bool) {
	_, prefix := binary.Uvarint(frame)
	body := frame[max(0, prefix):]
	if len(body) < 4 || body[0]&0xf0 != 0x90 || body[2] != 0x80 { // an array that has a type and then an empty map
		return hubMessage{}, false
	}
	var n, at int
	switch head := body[3]; {
	case head&0xe0 == 0xa0: // fixstr
		n, at = int(head&0x1f), 4
	case head == 0xd9 && len(body) > 4: // str 8
		n, at = int(body[4]), 5
	default:
		return hubMessage{}, false
	}
	if len(body) < at+n {
		return hubMessage{}, false
	}
	return hubMessage{kind: body[1], id: string(body[at : at+n]), before: body[:3], behind: body[at+n:]}, true
}

// withID writes the message with another id of at most 255 bytes, its length prefix in front.
func (m hubMessage) withID(id string) []byte {
	body := slices.Clone(m.before)
	if n := len(id); n < 32 {
		body = append(body, 0xa0|byte(n))
	} else {
		body = append(body, 0xd9, byte(n))
	}
	body = append(append(body, id...), m.behind...)
	return append(binary.AppendUvarint(nil, uint64(len(body))), body...)
}
