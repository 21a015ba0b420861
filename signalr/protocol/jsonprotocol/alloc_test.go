package jsonprotocol

import (
	"testing"

	"signalbox/signalr/protocol"
)

func TestAllocations(t *testing.T) {
	p := New(nil)
	ping := []byte(`{"type":6}`)
	args := protocol.RawValue(`["x",5]`)
	for _, row := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"Parse of an invocation", 3, func() error { // the message, its id and its target
			_, _, err := p.Parse(invocation)
			return err
		}},
		{"the envelope of a ping", 0, func() error {
			var e envelope
			return e.read(ping)
		}},
		{"Append of a result", 0, appendTo(p, &protocol.Completion{InvocationID: "42", HasResult: true, Result: "a result"})},
		{"Append of an invocation", 0, appendTo(p, &protocol.Invocation{Target: "Send", Arguments: []any{"x", 5, 1.5, nil, true}})},
		{"Append of a struct", 1, appendTo(p, &protocol.Completion{InvocationID: "42", HasResult: true, Result: order{ID: "1", History: []string{"a"}}})},
		{"DecodeArguments", 3, func() error { // the text, and the variables
			var s string
			var n int
			return p.DecodeArguments(args, &s, &n)
		}},
	} {
		if err := row.run(); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if got := testing.AllocsPerRun(100, func() { _ = row.run() }); got > row.most {
			t.Errorf("%s: %v allocations, want at most %v", row.name, got, row.most)
		}
	}
}

// appendTo returns a function that writes m into a buffer with room for it.
func appendTo(p *Protocol, m protocol.Message) func() error {
	buf := make([]byte, 0, 1024)
	return func() error {
		_, err := p.Append(buf, m)
		return err
	}
}
