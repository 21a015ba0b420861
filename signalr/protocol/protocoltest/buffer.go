package protocoltest

import (
	"strings"
	"testing"

	"signalbox/signalr/protocol"
)

// testAnyBuffer appends messages to slices of every length and capacity that may make a difference: what is written must
// not depend on how much room there is, nor touch what is there already.
func testAnyBuffer(t *testing.T, p protocol.HubProtocol) {
	texts := []string{"", "a", "é", "日本", "😀", "a😀é", strings.Repeat("x", 31) + "é", strings.Repeat("😀", 70)}
	for _, text := range texts {
		m := &protocol.Invocation{Target: text, Arguments: []any{text, 5, nil}}
		want, err := p.Append(nil, m)
		if err != nil {
			t.Fatalf("Append of %q: %v", text, err)
		}
		for room := range len(want) + 2 {
			for _, before := range []string{"", "before"} {
				dst := append(make([]byte, 0, len(before)+room), before...)
				got, err := p.Append(dst, m)
				if err != nil || string(got) != before+string(want) {
					t.Fatalf("Append of %q behind %q with room for %d bytes: %q, %v, want %q", text, before, room, got, err, want)
				}
			}
		}
	}
}
