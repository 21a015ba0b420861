package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recording plays what a client does and writes down, in the notation of transcripts, what the server does. What
// differs between any two runs is written as placeholders: the ids and tokens of negotiations as {LABEL.id} and
// {LABEL.token}, the id of the n-th client result that the server asks for as {askN}. Pings and acks are left out.
//
// It is used by one goroutine.
type Recording struct {
	player *player
	steps  []Step
	asked  int
	closed map[*conn]bool // those on which the client has sent a close frame
}

// Record begins a recording on connections of its own. End it with [Recording.Close].
func (r *Replayer) Record() *Recording {
	ignoring := &Transcript{Ignore: []string{"ping", "ack"}}
	return &Recording{
		player: &player{Replayer: r, transcript: ignoring, names: bindings{}, conns: map[string]*conn{}},
		closed: map[*conn]bool{},
	}
}

// Play does what a '>' step says, with the placeholders filled in, and adds the step to the recording.
func (r *Recording) Play(ctx context.Context, step Step) error {
	r.steps = append(r.steps, step)
	if step.Sign != '>' {
		return fmt.Errorf("%s: not a step of the client", step.line())
	}
	if err := r.player.act(ctx, &step); err != nil {
		return fmt.Errorf("%s: %w", step.line(), err)
	}
	if c := r.player.conns[step.Label]; c != nil && (step.Verb == "close" || strings.HasPrefix(step.Rest, "fin close")) {
		r.closed[c] = true
	}
	return nil
}

// Collect writes down what has come since the last call, without waiting, and reports whether there was anything.
// A close frame of the server is answered, unless the client sent one itself.
func (r *Recording) Collect(ctx context.Context) bool {
	before := len(r.steps)
	for _, c := range r.player.opened {
		for len(c.events)+len(c.rest)+len(c.stream) > 0 {
			e := r.player.nextRecord(ctx, c, time.Time{})
			if e.kind == "" { // the rest of an event is still to come
				break
			}
			r.write(c, e)
		}
	}
	return len(r.steps) > before
}

// Steps returns what was done so far, by both sides, in the order in which it was seen.
func (r *Recording) Steps() []Step { return slices.Clip(r.steps) }

// Close ends all connections of the recording.
func (r *Recording) Close() {
	for _, c := range r.player.opened {
		c.drop(false)
	}
}

// write adds the step that expects an event.
func (r *Recording) write(c *conn, e event) {
	step := Step{Sign: '<', Label: c.label}
	switch e.kind {
	case eventHead:
		r.writeHead(&step, c, e.head)
	case eventText, eventBinary:
		step.Verb, step.Rest = string(e.kind), r.hide(r.ask(decodePayload(e.data)))
	case eventPart:
		step.Verb, step.Rest = "raw", r.hide(decodePayload(e.data))
	case eventClose:
		step.Verb, step.Rest = "close", closePayload(e.data)
	default: // pong, eof, end, and what no server may send
		step.Verb, step.Rest, _ = strings.Cut(e.String(), " ")
	}
	r.steps = append(r.steps, step)
	if e.kind == eventClose && !r.closed[c] {
		r.closed[c] = true
		c.send(frame{fin: true, opcode: opClose, payload: e.data}.masked(), r.player.timeout())
		r.steps = append(r.steps, Step{Sign: '>', Verb: "close", Label: c.label, Rest: step.Rest})
	}
}

func (r *Recording) writeHead(step *Step, c *conn, head *response) {
	step.Verb = map[connKind]string{exchange: "http", webSocket: "ws.open", eventStream: "sse.open"}[c.kind]
	step.Rest = strconv.Itoa(head.status)
	for _, name := range slices.Sorted(maps.Keys(head.header)) {
		switch name {
		case "Date", "Server":
		case "Sec-Websocket-Accept":
			if value := head.value(name); value != c.accept {
				step.Headers = append(step.Headers, Header{name, value + ", not " + c.accept})
			}
		default:
			step.Headers = append(step.Headers, Header{name, r.hide(head.value(name))})
		}
	}
	var negotiated struct{ ConnectionID, ConnectionToken string }
	if json.Unmarshal(head.body, &negotiated) == nil && negotiated.ConnectionID != "" {
		base, _, _ := strings.Cut(step.Label, ".")
		r.player.names[base+".id"] = negotiated.ConnectionID
		r.player.names[base+".token"] = negotiated.ConnectionToken
		if negotiated.ConnectionToken == "" { // negotiate version 0 (F-006)
			r.player.names[base+".token"] = negotiated.ConnectionID
		}
	}
	if head.status != http.StatusSwitchingProtocols {
		body := r.hide(decodePayload(head.body))
		step.Body = &body
	}
}

// ask writes the id of a client result as a placeholder that later steps can use.
func (r *Recording) ask(record string) string {
	const before = `{"type":1,"invocationId":"`
	rest, ok := strings.CutPrefix(record, before)
	if !ok {
		return record
	}
	id, after, _ := strings.Cut(rest, `"`)
	r.asked++
	name := "ask" + strconv.Itoa(r.asked)
	r.player.names[name] = id
	return before + "{" + name + `}"` + after
}

// hide writes the ids and tokens of negotiations as placeholders.
func (r *Recording) hide(text string) string {
	for _, name := range slices.Sorted(maps.Keys(r.player.names)) {
		if value := r.player.names[name]; strings.Contains(name, ".") && value != "" {
			text = strings.ReplaceAll(text, value, "{"+name+"}")
		}
	}
	return text
}

// line is the first line of a step.
func (s Step) line() string {
	return strings.TrimSpace(strings.Join([]string{string(s.Sign), s.Verb, s.Label, s.Rest}, " "))
}

// String writes the step as it stands in a transcript, its details indented.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(s.line())
	for _, h := range s.Headers {
		fmt.Fprintf(&b, "\n  %s: %s", strings.ToLower(h.Name), h.Value)
	}
	if s.Body != nil {
		fmt.Fprintf(&b, "\n  body: %s", *s.Body)
	}
	return b.String()
}
