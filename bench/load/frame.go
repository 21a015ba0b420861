package load

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// WebSocket opcodes (RFC 6455 section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	opMore = 0x10 // not on the wire: see nextFrame
)

// maxFrame bounds what a server may send in one piece.
const maxFrame = 16 << 20

var errTooLarge = errors.New("the server sent a frame of more than 16 MiB")

// appendFrame appends a client's frame in one piece. The mask is zero: legal for the server, free for the generator
// (RFC 6455 section 5.3).
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}

// nextFrame reads a server's frame from b. n is its length, or 0 when b does not hold all of it yet.
// opMore is set in op when the message goes on in the next frame.
func nextFrame(b []byte) (op byte, payload []byte, n int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, nil
	}
	head, size := 2, uint64(b[1]&0x7f)
	switch {
	case b[1]&0x80 != 0:
		return 0, nil, 0, errors.New("the server masked a frame")
	case size == 126:
		if head = 4; len(b) < head {
			return 0, nil, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127:
		if head = 10; len(b) < head {
			return 0, nil, 0, nil
		}
		size = binary.BigEndian.Uint64(b[2:])
	}
	if size > maxFrame {
		return 0, nil, 0, errTooLarge
	}
	if uint64(len(b)-head) < size {
		return 0, nil, 0, nil
	}
	n = head + int(size)
	if op = b[0] & 0x0f; b[0]&0x80 == 0 {
		op |= opMore
	}
	return op, b[head:n], n, nil
}

// parseFrames takes whole WebSocket frames off b.
func (c *client) parseFrames(b []byte) (int, error) {
	taken := 0
	for taken < len(b) {
		op, payload, n, err := nextFrame(b[taken:])
		if err != nil || n == 0 {
			return taken, err
		}
		taken += n
		switch op {
		case opText, opBinary:
			err = c.message(payload)
		case opText | opMore, opBinary | opMore, opContinuation | opMore:
			c.fragments = append(c.fragments, payload...)
		case opContinuation:
			err = c.message(append(c.fragments, payload...))
			c.fragments = c.fragments[:0]
		case opPing:
			c.main.write(appendFrame(nil, opPong, payload))
		case opClose:
			err = closeError(payload)
		}
		if err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// closeError tells what a close frame says.
func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("the server sent an empty close frame")
	}
	return fmt.Errorf("the server closed with %d %q", binary.BigEndian.Uint16(payload), payload[2:])
}
