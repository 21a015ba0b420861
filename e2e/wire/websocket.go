package wire

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1" // RFC 6455 section 4.2.2 asks for it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// maxFrame bounds what a broken length may make the reader allocate.
const maxFrame = 64 << 20

// addUpgrade adds the headers of a WebSocket upgrade that the request lacks. It returns the Sec-WebSocket-Accept that
// answers its key (RFC 6455 section 4.2.2).
func addUpgrade(req *request) (accept string) {
	var nonce [16]byte
	rand.Read(nonce[:])
	req.addDefault("Upgrade", "websocket")
	req.addDefault("Connection", "Upgrade")
	req.addDefault("Sec-WebSocket-Version", "13")
	req.addDefault("Sec-WebSocket-Key", base64.StdEncoding.EncodeToString(nonce[:]))
	sum := sha1.Sum([]byte(req.header("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// frame is one WebSocket frame.
type frame struct {
	fin     bool
	rsv     byte // the three reserved bits, as a number
	opcode  byte
	payload []byte
}

// masked writes the frame as a client does. Nothing is checked: the frame may be one that RFC 6455 forbids.
func (f frame) masked() []byte {
	first := f.rsv<<4 | f.opcode
	if f.fin {
		first |= 0x80
	}
	b := []byte{first}
	switch n := len(f.payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i, c := range f.payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// errFrame is the error of a frame that a server must not send.
var errFrame = errors.New("forbidden frame")

// readFrame reads one frame as a server writes it (RFC 6455 sections 5.1 to 5.5).
func readFrame(in io.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{fin: head[0]&0x80 != 0, rsv: head[0] >> 4 & 7, opcode: head[0] & 15}
	n, least := uint64(head[1]&0x7f), uint64(0)
	var wide [8]byte
	switch n {
	case 126:
		least = 126
		if _, err := io.ReadFull(in, wide[6:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(wide[:])
	case 127:
		least = 1 << 16
		if _, err := io.ReadFull(in, wide[:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(wide[:])
	}
	switch {
	case f.rsv != 0:
		return frame{}, fmt.Errorf("%w: reserved bits %d", errFrame, f.rsv)
	case head[1]&0x80 != 0:
		return frame{}, fmt.Errorf("%w: masked", errFrame)
	case f.opcode > opBinary && f.opcode < opClose || f.opcode > opPong:
		return frame{}, fmt.Errorf("%w: opcode %d", errFrame, f.opcode)
	case f.opcode >= opClose && (!f.fin || n > 125):
		return frame{}, fmt.Errorf("%w: control frame in pieces or of %d bytes", errFrame, n)
	case n < least || n > maxFrame:
		return frame{}, fmt.Errorf("%w: length %d", errFrame, n)
	}
	f.payload = make([]byte, n)
	_, err := io.ReadFull(in, f.payload)
	return f, err
}

// readFrames turns frames into events until the connection ends: whole messages, and control frames as they come.
func (c *conn) readFrames(ctx context.Context, in *bufio.Reader) {
	var message event // in the making, when its kind is set
	for {
		f, err := readFrame(in)
		switch {
		case errors.Is(err, errFrame):
			c.emit(ctx, event{kind: eventBroken, data: []byte(err.Error())})
			return
		case err != nil:
			c.emit(ctx, event{kind: eventEOF})
			return
		case f.opcode >= opClose:
			kind := map[byte]eventKind{opClose: eventClose, opPing: eventPing, opPong: eventPong}[f.opcode]
			if !c.emit(ctx, event{kind: kind, data: f.payload}) {
				return
			}
			continue
		case (f.opcode == opContinuation) == (message.kind == ""):
			c.emit(ctx, event{kind: eventBroken, data: []byte("a message begins inside another, or goes on without a beginning")})
			return
		case f.opcode == opText:
			message.kind = eventText
		case f.opcode == opBinary:
			message.kind = eventBinary
		}
		message.data = append(message.data, f.payload...)
		if f.fin {
			if !c.emit(ctx, message) {
				return
			}
			message = event{}
		}
	}
}

// closePayload writes the payload of a close frame: its code and its reason, or "-" for an empty one.
func closePayload(payload []byte) string {
	switch len(payload) {
	case 0:
		return "-"
	case 1:
		return "with one byte"
	case 2:
		return strconv.Itoa(int(binary.BigEndian.Uint16(payload)))
	default:
		return strconv.Itoa(int(binary.BigEndian.Uint16(payload))) + " " + decodePayload(payload[2:])
	}
}

// closeFrame is a close frame with a code and a reason, or an empty one for the code 0.
func closeFrame(code uint16, reason []byte) frame {
	f := frame{fin: true, opcode: opClose}
	if code != 0 {
		f.payload = append(binary.BigEndian.AppendUint16(nil, code), reason...)
	}
	return f
}
