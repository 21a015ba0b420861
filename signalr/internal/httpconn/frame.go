package httpconn

import (
	"signalbox/signalr/internal/websocket"
	"signalbox/signalr/transport"
)

// Frame is one message for the client, encoded once and shared by all who get it: the payload with the header of a
// WebSocket frame in front of it, which the other transports leave out. It does not change any more.
type Frame struct {
	b []byte
	h int // length of the header
	// Label is for who thins a queue out ([Conn.SendThinned]): each place in a queue has its own.
	Label uint64
}

// LabelOwn is the label of what a connection causes itself, which is never thinned out.
const LabelOwn uint64 = 1

// FrameRoom is how many bytes to leave free in front of the payload in a buffer for [FinishFrame].
const FrameRoom = websocket.MaxHeader

// FinishFrame makes a Frame of a buffer whose payload begins at [FrameRoom]. The buffer belongs to the Frame.
func FinishFrame(f transport.TransferFormat, buf []byte) Frame {
	op := websocket.Text
	if f == transport.Binary {
		op = websocket.Binary
	}
	h := websocket.PutHeader(buf, op, len(buf)-FrameRoom)
	return Frame{b: buf[FrameRoom-h:], h: h}
}

// NewFrame makes a Frame of a copy of payload.
func NewFrame(f transport.TransferFormat, payload []byte) Frame {
	buf := make([]byte, FrameRoom, FrameRoom+len(payload))
	return FinishFrame(f, append(buf, payload...))
}

// Payload returns the message without the header.
func (f Frame) Payload() []byte { return f.b[f.h:] }

// Size returns how many bytes the frame counts in a queue.
func (f Frame) Size() int { return len(f.b) }
