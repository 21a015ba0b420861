package wire

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// act does what the client does in a step.
func (p *player) act(ctx context.Context, step *Step) error {
	switch step.Verb {
	case "http":
		method, target, _ := strings.Cut(step.Rest, " ")
		return p.openConn(ctx, exchange, step, method, target)
	case "ws.open":
		return p.openConn(ctx, webSocket, step, http.MethodGet, step.Rest)
	case "sse.open":
		return p.openConn(ctx, eventStream, step, http.MethodGet, step.Rest)
	case "lp.open":
		return p.openConn(ctx, longPoll, step, http.MethodGet, step.Rest)
	}
	c, err := p.conn(step)
	if err != nil {
		return err
	}
	switch step.Verb {
	case "drop":
		c.drop(step.Rest == "reset")
		return nil
	case "frame":
		return p.sendFrame(c, step.Rest)
	case "close":
		return p.sendClose(c, step.Rest)
	}
	payload, err := encodePayload(step.Rest, p.names)
	if err != nil {
		return err
	}
	switch step.Verb {
	case "text":
		c.send(frame{fin: true, opcode: opText, payload: payload}.masked(), p.timeout())
	case "bin":
		c.send(frame{fin: true, opcode: opBinary, payload: payload}.masked(), p.timeout())
	case "write":
		c.send(payload, p.timeout())
	case "post":
		return p.post(ctx, c, payload)
	}
	return nil
}

// openConn sends the request of a step; the connection has the label of the step from then on.
func (p *player) openConn(ctx context.Context, kind connKind, step *Step, method, target string) error {
	req := &request{method: method, target: p.names.expand(target, url.QueryEscape)}
	for _, h := range step.Headers {
		req.headers = append(req.headers, Header{h.Name, p.names.expand(h.Value, nil)})
	}
	if step.Body != nil {
		var err error
		if req.body, err = encodePayload(*step.Body, p.names); err != nil {
			return err
		}
	} else if method == http.MethodPost {
		req.body = []byte{}
	}
	c, err := p.open(ctx, kind, req)
	if err != nil {
		return err
	}
	c.label = step.Label
	p.conns[step.Label] = c
	p.opened = append(p.opened, c)
	return nil
}

// post sends a payload to the target of a connection, as clients of server-sent events and long polling do.
func (p *player) post(ctx context.Context, c *conn, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	answer, err := p.roundTrip(ctx, &request{
		method:  http.MethodPost,
		target:  c.target,
		headers: []Header{{"Content-Type", "text/plain;charset=UTF-8"}},
		body:    payload,
	})
	const want = "a POST answered with 200"
	switch {
	case err != nil:
		return &MismatchError{Want: want, Got: err.Error()}
	case answer.status != http.StatusOK:
		return &MismatchError{Want: want, Got: strconv.Itoa(answer.status)}
	}
	return nil
}

// sendFrame sends a frame given as "fin|more OPCODE[+rsvN] PAYLOAD".
func (p *player) sendFrame(c *conn, rest string) error {
	fin, rest, _ := strings.Cut(rest, " ")
	opcode, text, _ := strings.Cut(rest, " ")
	opcode, rsv, _ := strings.Cut(opcode, "+rsv")
	f := frame{fin: fin == "fin"}
	var err error
	if f.payload, err = encodePayload(text, p.names); err != nil {
		return err
	}
	known := map[string]byte{"cont": opContinuation, "text": opText, "bin": opBinary, "close": opClose, "ping": opPing, "pong": opPong}
	if code, ok := known[opcode]; ok {
		f.opcode = code
	} else if f.opcode, err = parseBits(opcode, 4); err != nil {
		return fmt.Errorf("opcode: %w", err)
	}
	if f.rsv, err = parseBits(cmp.Or(rsv, "0"), 3); err != nil {
		return fmt.Errorf("reserved bits: %w", err)
	}
	c.send(f.masked(), p.timeout())
	return nil
}

// parseBits parses a number of so many bits.
func parseBits(text string, bits int) (byte, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	return byte(n), err
}

// sendClose sends a close frame given as "[CODE [REASON]]".
func (p *player) sendClose(c *conn, rest string) error {
	code, text, _ := strings.Cut(rest, " ")
	if code == "" || code == "-" {
		c.send(closeFrame(0, nil).masked(), p.timeout())
		return nil
	}
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil {
		return fmt.Errorf("close code: %w", err)
	}
	reason, err := encodePayload(text, p.names)
	if err != nil {
		return err
	}
	c.send(closeFrame(uint16(n), reason).masked(), p.timeout())
	return nil
}
