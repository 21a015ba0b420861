// Package websocket is the server side of RFC 6455 as SignalR needs it: the upgrade, and frames read out of and
// written into plain byte slices, so that whoever owns the socket decides when memory is held and when it is written.
// There are no extensions, and no sub-protocol but the one that the caller chooses (F-048).
package websocket

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcode is the kind of a frame (RFC 6455, section 5.2).
type Opcode byte

// The opcodes of RFC 6455.
const (
	Continuation Opcode = 0
	Text         Opcode = 1
	Binary       Opcode = 2
	Close        Opcode = 8
	Ping         Opcode = 9
	Pong         Opcode = 10
)

// The close codes that the server sends (RFC 6455, section 7.4.1).
const (
	NormalClosure  = 1000
	GoingAway      = 1001
	ProtocolError  = 1002
	InvalidPayload = 1007
	InternalError  = 1011
)

// MaxHeader is the size of the longest header of a frame that a server sends: servers do not mask.
const MaxHeader = 10

// PutHeader writes the header of an unfragmented, unmasked frame with n bytes of payload into the end of dst, which
// must have MaxHeader bytes, and returns how long it is.
func PutHeader(dst []byte, op Opcode, n int) int {
	_ = dst[MaxHeader-1]
	switch {
	case n < 126:
		dst[8], dst[9] = 0x80|byte(op), byte(n)
		return 2
	case n <= 0xFFFF:
		dst[6], dst[7] = 0x80|byte(op), 126
		binary.BigEndian.PutUint16(dst[8:], uint16(n))
		return 4
	default:
		dst[0], dst[1] = 0x80|byte(op), 127
		binary.BigEndian.PutUint64(dst[2:], uint64(n))
		return 10
	}
}

// AppendFrame appends a whole unfragmented frame to dst.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	var h [MaxHeader]byte
	k := PutHeader(h[:], op, len(payload))
	dst = append(dst, h[MaxHeader-k:]...)
	return append(dst, payload...)
}

// AppendClose appends a close frame to dst. A code of 0 means none.
func AppendClose(dst []byte, code int, reason string) []byte {
	var p []byte
	if code != 0 {
		p = binary.BigEndian.AppendUint16(nil, uint16(code))
		p = append(p, reason[:min(len(reason), 123)]...)
	}
	return AppendFrame(dst, Close, p)
}

// ProtocolViolation is the error of frames that RFC 6455 forbids. The peer is told Code.
type ProtocolViolation struct {
	// Code is the close code to answer with: 1002, or 1007 for text that is not UTF-8 (F-050).
	Code   int
	Reason string
}

func (e *ProtocolViolation) Error() string { return "websocket: " + e.Reason }

// ErrorName names the .NET exception that stands for this error there.
func (e *ProtocolViolation) ErrorName() string { return "WebSocketException" }

// Handler is told what a [Reader] finds. Payloads share the memory that was given to [Reader.Feed].
type Handler interface {
	// Data brings a part of a message, not empty. Where messages begin and end means nothing to SignalR (F-049).
	Data(p []byte)
	// Ping brings the payload of a ping, which wants a pong with the same.
	Ping(p []byte)
	// Closed brings a close frame; nothing follows it. code is 0 when the frame had none.
	Closed(code int, reason string)
}

// Reader reads the frames of a client. The zero value is ready. It holds at most one control frame of the input.
// It is not safe for concurrent use.
type Reader struct {
	state     uint8
	op        Opcode // of the frame being read
	fin       bool
	inMessage bool // a fragmented message has begun
	text      bool // the message being read is text
	closed    bool
	nhead     uint8 // bytes of head that are there
	maskPos   uint8
	utf       utf8State
	mask      [4]byte
	head      [14]byte
	left      uint64 // of the payload
	control   []byte // payload of a control frame as far as it has come
}

const (
	readHead = iota
	readPayload
)

// Feed reads p, which may begin and end anywhere in a frame, unmasks payloads in place and tells h. It stops at a
// close frame; bytes behind it are ignored. The error is a [*ProtocolViolation], after which the Reader must not be
// used any more.
func (r *Reader) Feed(p []byte, h Handler) error {
	for len(p) > 0 && !r.closed {
		if r.state == readHead {
			n, done, err := r.readHeader(p)
			p = p[n:]
			if err != nil {
				return err
			}
			if !done {
				return nil
			}
			if r.left == 0 {
				if err := r.endFrame(h); err != nil {
					return err
				}
			} else {
				r.state = readPayload
			}
			continue
		}
		n := min(uint64(len(p)), r.left)
		part := p[:n]
		p = p[n:]
		r.unmask(part)
		r.left -= n
		if r.op >= Close {
			r.control = append(r.control, part...)
		} else {
			if r.text && !r.utf.feed(part) {
				return &ProtocolViolation{InvalidPayload, "text message is not UTF-8"}
			}
			h.Data(part)
		}
		if r.left == 0 {
			if err := r.endFrame(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// readHeader collects the header; n bytes of p belonged to it.
func (r *Reader) readHeader(p []byte) (n int, done bool, err error) {
	for {
		need := r.headerSize()
		k := copy(r.head[r.nhead:need], p[n:])
		n += k
		r.nhead += uint8(k)
		if int(r.nhead) < need {
			return n, false, nil
		}
		if need == r.headerSize() {
			break // two bytes tell how long the rest is
		}
	}
	r.nhead = 0
	return n, true, r.startFrame()
}

// headerSize is how long the header is as far as can be told: two bytes until those are there.
func (r *Reader) headerSize() int {
	if r.nhead < 2 {
		return 2
	}
	size := 2
	if r.head[1]&0x80 != 0 {
		size += 4
	}
	switch r.head[1] & 0x7F {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	return size
}

// startFrame checks the header by the rules of RFC 6455, section 5.
func (r *Reader) startFrame() error {
	violation := func(reason string) error { return &ProtocolViolation{ProtocolError, reason} }
	h := r.head[:]
	op := Opcode(h[0] & 0x0F)
	fin := h[0]&0x80 != 0
	if h[0]&0x70 != 0 {
		return violation("reserved bits are set")
	}
	if h[1]&0x80 == 0 {
		return violation("a client must mask its frames")
	}
	rest := h[2:]
	r.left = uint64(h[1] & 0x7F)
	switch r.left {
	case 126:
		r.left = uint64(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
	case 127:
		r.left = binary.BigEndian.Uint64(rest)
		rest = rest[8:]
		if r.left>>63 != 0 {
			return violation("the length of a frame is negative")
		}
	}
	copy(r.mask[:], rest)
	r.maskPos = 0
	switch op {
	case Continuation:
		if !r.inMessage {
			return violation("a continuation without a beginning")
		}
	case Text, Binary:
		if r.inMessage {
			return violation("a message inside a message")
		}
		r.text = op == Text
		r.utf = utf8State{}
	case Close, Ping, Pong:
		if !fin {
			return violation("a fragmented control frame")
		}
		if r.left > 125 {
			return violation("a control frame of more than 125 bytes")
		}
		r.control = nil
	default:
		return violation("an unknown opcode")
	}
	if op < Close {
		r.inMessage = !fin
	}
	r.op, r.fin = op, fin
	return nil
}

func (r *Reader) endFrame(h Handler) error {
	r.state = readHead
	switch r.op {
	case Ping:
		h.Ping(r.control)
	case Close:
		return r.endClose(h)
	case Pong:
	default:
		if r.fin && r.text && !r.utf.complete() {
			return &ProtocolViolation{InvalidPayload, "text message ends inside a character"}
		}
	}
	r.control = nil
	return nil
}

func (r *Reader) endClose(h Handler) error {
	p := r.control
	r.control = nil
	code := 0
	switch {
	case len(p) == 1:
		return &ProtocolViolation{ProtocolError, "a close frame of one byte"}
	case len(p) >= 2:
		code = int(binary.BigEndian.Uint16(p))
		if !validCloseCode(code) {
			return &ProtocolViolation{ProtocolError, "a close code that may not be sent"}
		}
		if !utf8.Valid(p[2:]) {
			return &ProtocolViolation{InvalidPayload, "a close reason that is not UTF-8"}
		}
		p = p[2:]
	}
	r.closed = true
	h.Closed(code, string(p))
	return nil
}

// validCloseCode follows RFC 6455, section 7.4, and its registry: codes that only ever stand for the absence of a
// frame may not be sent.
func validCloseCode(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code < 1000 || code > 1014:
		return false
	}
	return code != 1004 && code != 1005 && code != 1006
}

// unmask applies the mask in place, eight bytes at a time where there are that many (RFC 6455, section 5.3).
func (r *Reader) unmask(p []byte) {
	pos := r.maskPos
	if len(p) >= 16 {
		var k [8]byte
		for i := range k {
			k[i] = r.mask[(pos+uint8(i))&3]
		}
		key := binary.LittleEndian.Uint64(k[:])
		for len(p) >= 8 {
			binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^key)
			p = p[8:]
		}
	}
	for i := range p {
		p[i] ^= r.mask[pos&3]
		pos++
	}
	r.maskPos = pos & 3
}

// utf8State checks UTF-8 that comes in pieces: it keeps the beginning of a character that a piece cut.
type utf8State struct {
	n   uint8
	buf [utf8.UTFMax]byte
}

func (s *utf8State) feed(p []byte) bool {
	for s.n > 0 && len(p) > 0 {
		s.buf[s.n] = p[0]
		s.n++
		p = p[1:]
		if utf8.FullRune(s.buf[:s.n]) {
			if _, size := utf8.DecodeRune(s.buf[:s.n]); size != int(s.n) { // U+FFFD itself is a character like others
				return false
			}
			s.n = 0
		}
	}
	// What an incomplete character at the end leaves over is at most three bytes.
	end := len(p)
	for i := end - 1; i >= 0 && i >= end-3; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				s.n = uint8(copy(s.buf[:], p[i:]))
				end = i
			}
			break
		}
	}
	return utf8.Valid(p[:end])
}

func (s *utf8State) complete() bool { return s.n == 0 }
