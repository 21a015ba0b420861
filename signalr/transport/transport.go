// Package transport holds the words that the layers of SignalR share about how bytes travel: the kinds of
// transport, their transfer formats, and the raw connection that lies below the hub protocol.
//
// It is a leaf: it imports nothing of this module.
package transport

import (
	"context"
	"fmt"
	"strings"
)

// TransferFormat says whether a protocol writes text or bytes.
//
// ASP.NET Core: TransferFormat.
type TransferFormat uint8

const (
	// Text is UTF-8 text; every transport carries it.
	Text TransferFormat = 1
	// Binary is any bytes; server-sent events cannot carry it (F-046).
	Binary TransferFormat = 2
)

// String returns "Text" or "Binary", the spelling on the wire (F-020).
func (f TransferFormat) String() string {
	if f == Binary {
		return "Binary"
	}
	return "Text"
}

// Type is one transport, or a set of them as a bit mask (F-004). The zero value is none.
//
// ASP.NET Core: HttpTransportType.
type Type uint8

const (
	// WebSockets is RFC 6455 (F-048 to F-053).
	WebSockets Type = 1
	// ServerSentEvents is an event stream down and POST requests up (F-044 to F-047).
	ServerSentEvents Type = 2
	// LongPolling is a waiting GET down and POST requests up (F-033 to F-043).
	LongPolling Type = 4

	// All is every transport.
	All = WebSockets | ServerSentEvents | LongPolling
)

var names = []struct {
	t    Type
	name string
}{{WebSockets, "WebSockets"}, {ServerSentEvents, "ServerSentEvents"}, {LongPolling, "LongPolling"}}

// String returns the spelling on the wire (F-020), for a set the names joined by commas.
func (t Type) String() string {
	var parts []string
	for _, n := range names {
		if t&n.t != 0 {
			parts = append(parts, n.name)
		}
	}
	if len(parts) == 0 {
		return "None"
	}
	return strings.Join(parts, ",")
}

// Formats returns what the transport can carry: Text and Binary, but Text alone on server-sent events (F-020).
func (t Type) Formats() TransferFormat {
	if t == ServerSentEvents {
		return Text
	}
	return Text | Binary
}

// ParseType reads a comma-separated list of transport names, without regard to case.
func ParseType(list string) (Type, error) {
	var set Type
next:
	for part := range strings.SplitSeq(list, ",") {
		part = strings.TrimSpace(part)
		for _, n := range names {
			if strings.EqualFold(n.name, part) {
				set |= n.t
				continue next
			}
		}
		return 0, fmt.Errorf("unknown transport %q: want WebSockets, ServerSentEvents or LongPolling", part)
	}
	return set, nil
}

// Conn is a raw connection: bytes in both directions, the same over every transport, without hub protocol,
// handshake or pings (F-002). Read may be called by one goroutine at a time; the other methods by any.
//
// ASP.NET Core: ConnectionContext.Transport.
type Conn interface {
	// ID returns the public connection id (F-006).
	ID() string
	// Read waits for bytes from the client and fills p with them. How they were cut into messages or requests is lost.
	// It returns io.EOF when the client has ended its side, and an error when the connection is over.
	Read(p []byte) (int, error)
	// Write sends p as one message of the transport. It returns once p is queued, waiting while the queue is full,
	// and does not keep p. It fails when ctx ends or the connection is over.
	Write(ctx context.Context, p []byte) error
	// Context ends when the connection does.
	Context() context.Context
}
