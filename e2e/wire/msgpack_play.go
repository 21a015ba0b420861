package wire

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
)

// How long nothing must come for it to count as nothing.
const (
	answerSilence = 250 * time.Millisecond // after bytes that need no answer
	probeSilence  = 400 * time.Millisecond // after a probe that ends up inside another message
	endSilence    = 200 * time.Millisecond // on a connection that stays open
)

// probe is an invocation of Echo by which the client finds out whether the connection lives, and alive its answer.
var (
	probe = joinFrame("\x96\x01\x80\xa5probe\xa4Echo\x91\xa5alive\x90")
	alive = joinFrame("\x95\x03\x80\xa5probe\x03\xa5alive")
)

func joinFrame(body string) []byte {
	return append([]byte{byte(len(body))}, body...)
}

// PlayFrame sends the bytes of a vector on a connection of its own and checks the answer, that of detailed errors if
// detailed is set, and whether the connection goes on. The error is a [MismatchError] as for [Replayer.Play].
func (r *Replayer) PlayFrame(ctx context.Context, v FrameVector, detailed bool) error {
	s, err := r.openHub(ctx)
	if err != nil {
		return err
	}
	defer s.drop(false)
	if err := s.handshake(ctx); err != nil {
		return err
	}
	want := v.Answer
	if detailed {
		want = v.DetailedAnswer
	}
	s.write(opBinary, v.Sent)
	wait := s.timeout
	if len(want) == 0 {
		wait = answerSilence
	}
	got, err := s.collect(ctx, max(1, len(want)), wait)
	if err != nil {
		return err
	}
	if s.closed == "" && strings.HasPrefix(v.After, "closed") && !bytes.Equal(got, want) {
		// some vectors are closed only when more bytes come
		s.write(opBinary, probe)
		more, err := s.collect(ctx, len(want)-len(got), s.timeout)
		if err != nil {
			return err
		}
		got = append(got, more...)
	}
	if err := sameBytes(want, got); err != nil {
		return err
	}
	switch v.After {
	case "alive":
		s.write(opBinary, probe)
		return s.expect(ctx, alive, s.timeout)
	case "stalled":
		s.write(opBinary, probe)
		if err := s.expect(ctx, nil, probeSilence); err != nil {
			return err
		}
		return s.expectEnd(ctx, "still open")
	default:
		return s.expectEnd(ctx, "close"+strings.TrimPrefix(v.After, "closed"))
	}
}

// expect checks that just these bytes come in that time.
func (s *hubSocket) expect(ctx context.Context, want []byte, d time.Duration) error {
	got, err := s.collect(ctx, max(1, len(want)), d)
	if err != nil {
		return err
	}
	return sameBytes(want, got)
}

// expectEnd checks that nothing more comes, and that the connection is open or closed in that way.
func (s *hubSocket) expectEnd(ctx context.Context, want string) error {
	d := s.timeout
	if want == "still open" {
		d = endSilence
	}
	more, err := s.collect(ctx, 1, d)
	if err != nil {
		return err
	}
	got := s.closed
	switch {
	case len(more) > 0:
		got = hexPayload(more)
	case got == "":
		got = "still open"
	}
	if got != want {
		return &MismatchError{Want: want, Got: got}
	}
	return nil
}

func sameBytes(want, got []byte) error {
	if bytes.Equal(want, got) {
		return nil
	}
	return &MismatchError{Want: hexPayload(want), Got: hexPayload(got)}
}

// PlayConversation plays a conversation on a connection of its own. Messages of the server that follow each other are
// compared together: how they are spread over WebSocket messages is free. The ids of client results are the server's
// choice and may differ. The error is a [MismatchError] as for [Replayer.Play].
func (r *Replayer) PlayConversation(ctx context.Context, c Conversation) error {
	s, err := r.openHub(ctx)
	if err != nil {
		return err
	}
	defer s.drop(false)
	if !strings.HasPrefix(c.Name, "handshake-") { // those say it themselves
		if err := s.handshake(ctx); err != nil {
			return err
		}
	}
	results := map[string]string{} // ids of client results: as recorded, and as they are in this run
	for i := 0; i < len(c.Events); i++ {
		switch e := c.Events[i]; e.Sign {
		case ">":
			s.write(opBinary, s.prepare(e.Data, results))
		case ">t":
			s.write(opText, s.prepare(e.Data, results))
		case "<":
			want := e.Data
			for ; i+1 < len(c.Events) && c.Events[i+1].Sign == "<"; i++ {
				want = append(want[:len(want):len(want)], c.Events[i+1].Data...)
			}
			if err := s.expectFrames(ctx, want, results); err != nil {
				return err
			}
		case "x":
			if err := s.expectEnd(ctx, e.End); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepare puts the ids of this run into the completions of the client, and notes what it cancels.
func (s *hubSocket) prepare(data []byte, results map[string]string) []byte {
	var out []byte
	for rest := data; ; {
		var one []byte
		if one, rest = cutFrame(rest); one == nil {
			return append(out, rest...) // part of a message, or nothing
		}
		if m, ok := parseFrame(one); ok && m.kind == typeCancel {
			s.cancelled[m.id] = true
		} else if id := results[m.id]; ok && m.kind == typeCompletion && id != "" {
			one = m.withID(id)
		}
		out = append(out, one...)
	}
}

// expectFrames checks the frames that the server sends. The ids in its invocations are noted in results.
func (s *hubSocket) expectFrames(ctx context.Context, want []byte, results map[string]string) error {
	if s.raw || bytes.Equal(want, pingFrame) { // a ping is left out unless it is what is waited for
		return s.expectMessage(ctx, want)
	}
	deadline := time.Now().Add(s.timeout)
	for rest := want; len(rest) > 0; {
		var one []byte
		if one, rest = cutFrame(rest); one == nil {
			return fmt.Errorf("the recording is cut off: %s", hexPayload(rest))
		}
		got, err := s.frame(ctx, deadline)
		if err != nil {
			return err
		}
		w, ok := parseFrame(one)
		if g, same := parseFrame(got); ok && same && w.kind == typeInvocation && g.kind == typeInvocation && w.id != "" && g.id != "" {
			results[w.id] = g.id
			one = w.withID(g.id)
		}
		if !bytes.Equal(one, got) {
			return &MismatchError{Want: hexPayload(one), Got: hexPayload(got) + s.closed}
		}
	}
	return nil
}

// expectMessage checks one message as it comes.
func (s *hubSocket) expectMessage(ctx context.Context, want []byte) error {
	e := s.message(ctx, time.Now().Add(s.timeout))
	s.raw = false
	if e.kind == "" || !bytes.Equal(e.data, want) {
		return &MismatchError{Want: decodePayload(want), Got: e.String()}
	}
	return nil
}
