package msgpackprotocol

import (
	"testing"

	"signalbox/signalr/protocol"
)

func TestAllocations(t *testing.T) {
	p := New(nil)
	args := protocol.RawValue("\x92\xa1x\x05")
	// Counts that cannot be true: nothing may be allocated for them.
	hostile := []byte("\x0a\x91\xdd\x7f\xff\xff\xff\x01\x01\x01\x01")
	for _, row := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"Parse of an invocation", 3, func() error { // the message, its id and its target
			_, _, err := p.Parse(invocation)
			return err
		}},
		{"Append of a result", 0, appendTo(p, &protocol.Completion{InvocationID: "42", HasResult: true, Result: "a result"})},
		{"Append of an invocation", 0, appendTo(p, &protocol.Invocation{Target: "Send", Arguments: []any{"x", 5, 1.5, nil, true}})},
		{"Append of a struct", 1, appendTo(p, &protocol.Completion{InvocationID: "42", HasResult: true, Result: order{ID: "1", History: []string{"a"}}})},
		{"DecodeArguments", 3, func() error { // the text, and the variables
			var s string
			var n int
			return p.DecodeArguments(args, &s, &n)
		}},
		{"skip", 0, func() error {
			r := reader{b: hostile[1:]}
			if r.skip(1) == nil {
				t.Error("a count that cannot be true passes")
			}
			return nil
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
