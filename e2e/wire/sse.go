package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// readStream passes on the body of an event stream as it comes. A body that breaks off is an eof, not an end.
func (c *conn) readStream(ctx context.Context, body io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 && !c.emit(ctx, event{kind: eventChunk, data: bytes.Clone(buf[:n])}) {
			return
		}
		switch {
		case errors.Is(err, io.EOF):
			c.emit(ctx, event{kind: eventEnd})
			return
		case err != nil:
			c.emit(ctx, event{kind: eventEOF})
			return
		}
	}
}

// cutEvent cuts the first event off an event stream and joins its data lines (F-045). Comments in front of it are
// left out. It returns the zero event when the stream does not hold a whole one yet.
func cutEvent(stream []byte) (e event, rest []byte) {
	for bytes.HasPrefix(stream, []byte(":")) {
		_, after, whole := bytes.Cut(stream, []byte("\n"))
		if !whole {
			return event{}, stream
		}
		stream = after
	}
	text, rest, whole := bytes.Cut(stream, []byte("\r\n\r\n"))
	if !whole {
		return event{}, stream
	}
	var data [][]byte
	for line := range bytes.SplitSeq(text, []byte("\r\n")) {
		value, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			return event{kind: eventBroken, data: text}, rest
		}
		data = append(data, value)
	}
	return event{kind: eventText, data: bytes.Join(data, []byte("\n"))}, rest
}
