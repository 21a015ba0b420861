package wire

import (
	"bytes"
	"context"
	"maps"
	"time"
)

// recordSeparator ends every message of the JSON hub protocol (F-060).
const recordSeparator = 0x1e

// nextRecord returns the next hub message of a connection that the transcript does not ignore, its separator
// included, as a text or binary event. Anything else that comes is returned as it is, and a message of the transport
// that holds part of a hub message (F-061) as an eventPart. The zero event means that nothing came in time.
func (p *player) nextRecord(ctx context.Context, c *conn, deadline time.Time) event {
	for {
		for len(c.rest) == 0 {
			e := c.nextMessage(ctx, deadline)
			if e.kind != eventText && e.kind != eventBinary {
				return e
			}
			c.rest, c.restKind = e.data, e.kind
		}
		end := bytes.IndexByte(c.rest, recordSeparator) + 1
		if end == 0 {
			part := c.rest
			c.rest = nil
			return event{kind: eventPart, data: part}
		}
		record := c.rest[:end]
		c.rest = c.rest[end:]
		if !p.ignored(c, record) {
			return event{kind: c.restKind, data: record}
		}
	}
}

// nextMessage returns the next event of a connection; the chunks of an event stream are put together first.
func (c *conn) nextMessage(ctx context.Context, deadline time.Time) event {
	for {
		e, rest := cutEvent(c.stream)
		c.stream = rest
		if e.kind != "" {
			return e
		}
		e = c.next(ctx, deadline)
		switch {
		case e.kind == eventChunk:
			c.stream = append(c.stream, e.data...)
		case e.kind != "" && len(c.stream) > 0:
			return event{kind: eventPart, data: c.stream}
		default:
			return e
		}
	}
}

// ignored reports whether a record is left out wherever it comes.
func (p *player) ignored(c *conn, record []byte) bool {
	if string(record) == "{\"type\":6}\x1e" {
		return p.ignores("ping")
	}
	if bytes.HasPrefix(record, []byte(`{"type":8,`)) {
		return p.ignores("ack")
	}
	for _, pattern := range c.skip {
		if maps.Clone(p.names).match(pattern, decodePayload(record)) { // a pattern that is skipped binds nothing
			return true
		}
	}
	return false
}
