package wire

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// expect checks what the server must do in a step, and when.
func (p *player) expect(ctx context.Context, step *Step) error {
	c, err := p.conn(step)
	if err != nil {
		return err
	}
	deadline, window := p.deadline(), p.window
	p.window = nil
	if err := p.expectBy(ctx, step, c, deadline); err != nil {
		return err
	}
	// Half of it will do: on a busy machine it may take its time until the player sees the step that the time counts from.
	if took := time.Since(p.mark); window != nil && took < window.earliest/2 {
		return &MismatchError{Want: fmt.Sprintf("not before %v", window.earliest), Got: fmt.Sprintf("after %v", took)}
	}
	return nil
}

func (p *player) expectBy(ctx context.Context, step *Step, c *conn, deadline time.Time) error {
	switch step.Verb {
	case "http", "ws.open", "sse.open":
		return p.matchHead(step, c, c.next(ctx, deadline))
	case "text", "bin":
		return p.matchRecord(step, c, p.nextRecord(ctx, c, deadline))
	case "raw":
		return p.expectRaw(ctx, step, c, deadline)
	case "pong":
		payload, err := encodePayload(step.Rest, p.names)
		if err != nil {
			return err
		}
		return matchEvent(event{kind: eventPong, data: payload}.String(), c.next(ctx, deadline))
	case "close":
		return matchEvent("close "+step.Rest, p.nextRecord(ctx, c, deadline))
	case "gone":
		e := p.nextRecord(ctx, c, deadline)
		if e.kind == eventEOF {
			return nil
		}
		return matchEvent("close "+step.Rest, e)
	default: // eof and end
		return matchEvent(strings.TrimSpace(step.Verb+" "+step.Rest), p.nextRecord(ctx, c, deadline))
	}
}

func matchEvent(want string, e event) error {
	if got := e.String(); got != want {
		return &MismatchError{Want: want, Got: got}
	}
	return nil
}

// expectRaw checks bytes without regard to how they are cut into messages or chunks.
func (p *player) expectRaw(ctx context.Context, step *Step, c *conn, deadline time.Time) error {
	want, err := encodePayload(step.Rest, p.names)
	if err != nil {
		return err
	}
	unread := &c.rest
	if c.kind == eventStream {
		unread = &c.stream
	}
	for len(*unread) < len(want) {
		e := c.next(ctx, deadline)
		if e.kind != eventText && e.kind != eventBinary && e.kind != eventChunk {
			return &MismatchError{Want: step.Rest, Got: decodePayload(*unread) + " then " + e.String()}
		}
		*unread = append(*unread, e.data...)
		c.restKind = e.kind
	}
	if !bytes.HasPrefix(*unread, want) {
		return &MismatchError{Want: step.Rest, Got: decodePayload(*unread)}
	}
	*unread = (*unread)[len(want):]
	return nil
}

// matchRecord checks one hub message and the kind of message that it came in.
func (p *player) matchRecord(step *Step, c *conn, got event) error {
	kind := eventText // the only kind of the other transports
	if c.kind == webSocket {
		kind = eventKind(step.Verb)
	}
	if got.kind != kind {
		return &MismatchError{Want: string(kind) + " " + step.Rest, Got: got.String()}
	}
	text := decodePayload(got.data)
	if p.names.match(step.Rest, text) {
		return nil
	}
	if p.transcript.MatchJSON {
		want, whole := strings.CutSuffix(step.Rest, "␞")
		record, ended := strings.CutSuffix(text, "␞")
		if whole && ended && p.names.matchJSON(want, record) {
			return nil
		}
	}
	return &MismatchError{Want: step.Rest, Got: text}
}

// matchHead checks the answer to a request.
func (p *player) matchHead(step *Step, c *conn, got event) error {
	if got.kind != eventHead {
		return &MismatchError{Want: "status " + step.Rest, Got: got.String()}
	}
	head := got.head
	if strconv.Itoa(head.status) != step.Rest {
		return &MismatchError{Want: "status " + step.Rest, Got: got.String()}
	}
	for _, h := range step.Headers {
		if value := head.value(h.Name); !p.names.match(h.Value, value) {
			return &MismatchError{Want: h.Name + ": " + h.Value, Got: h.Name + ": " + value}
		}
	}
	for _, name := range step.Absent {
		if head.header.Values(name) != nil {
			return &MismatchError{Want: "no header " + name, Got: name + ": " + head.value(name)}
		}
	}
	if accept := head.value("Sec-WebSocket-Accept"); step.Verb == "ws.open" && head.status == http.StatusSwitchingProtocols && accept != c.accept {
		return &MismatchError{Want: "Sec-WebSocket-Accept: " + c.accept, Got: accept}
	}
	if step.Body != nil {
		if body := decodePayload(head.body); !p.names.match(*step.Body, body) {
			return &MismatchError{Want: "body " + *step.Body, Got: body}
		}
	}
	return nil
}
