// Package protocoltest is the suite that every hub protocol has to pass.
package protocoltest

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/signalr/protocol"
	"signalbox/signalr/transport"
)

// Run tests that p does what [protocol.HubProtocol] promises, by p's own bytes: whatever Append writes is read again by
// Parse and DecodeArguments. What the bytes have to be is for the protocol's own tests. Run it under the race detector.
//
// ASP.NET Core: the tests that JsonHubProtocolTestsBase and MessagePackHubProtocolTests share.
func Run(t *testing.T, p protocol.HubProtocol) {
	t.Run("Description", func(t *testing.T) { testDescription(t, p) })
	t.Run("RoundTrip", func(t *testing.T) { testRoundTrip(t, p) })
	t.Run("Incomplete", func(t *testing.T) { testIncomplete(t, p) })
	t.Run("SeveralMessages", func(t *testing.T) { testSeveralMessages(t, p) })
	t.Run("UnknownType", func(t *testing.T) { testUnknownType(t, p) })
	t.Run("AppendFails", func(t *testing.T) { testAppendFails(t, p) })
	t.Run("AnyBuffer", func(t *testing.T) { testAnyBuffer(t, p) })
	t.Run("Values", func(t *testing.T) { testValues(t, p) })
	t.Run("Null", func(t *testing.T) { testNull(t, p) })
	t.Run("RawValue", func(t *testing.T) { testRawValue(t, p) })
	t.Run("ArgumentErrors", func(t *testing.T) { testArgumentErrors(t, p) })
	t.Run("Aliasing", func(t *testing.T) { testAliasing(t, p) })
	t.Run("Concurrency", func(t *testing.T) { testConcurrency(t, p) })
}

// messages are one of every kind and variant, by name.
func messages() map[string]protocol.Message {
	headers := protocol.Headers{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a": "ä"}
	return map[string]protocol.Message{
		"invocation":                &protocol.Invocation{Target: "Send", Arguments: []any{"text", 5, nil, true}},
		"invocation without values": &protocol.Invocation{Target: "Send"},
		"invocation with id":        &protocol.Invocation{InvocationID: "1", Target: "Send", Arguments: []any{"x"}},
		"invocation with headers":   &protocol.Invocation{Headers: headers, InvocationID: "1", Target: "Send"},
		"invocation with streams":   &protocol.Invocation{InvocationID: "1", Target: "Upload", StreamIDs: []string{"2", "3"}},
		"invocation, odd text":      &protocol.Invocation{InvocationID: "\"\\\x00\n\x1e", Target: "Größe😀\u2028"},
		"stream invocation": &protocol.Invocation{
			Headers: headers, InvocationID: "1", Target: "Counter", Arguments: []any{5, 100}, StreamIDs: []string{"2"}, Stream: true,
		},
		"stream item":              &protocol.StreamItem{InvocationID: "1", Item: 5},
		"stream item, nil":         &protocol.StreamItem{InvocationID: "1"},
		"stream item with headers": &protocol.StreamItem{Headers: headers, InvocationID: "1", Item: "x"},
		"completion":               &protocol.Completion{InvocationID: "1"},
		"completion with result":   &protocol.Completion{InvocationID: "1", HasResult: true, Result: "x"},
		"completion with nil":      &protocol.Completion{InvocationID: "1", HasResult: true},
		"completion with error":    &protocol.Completion{Headers: headers, InvocationID: "1", Error: "failed", HasError: true},
		"cancel":                   &protocol.CancelInvocation{Headers: headers, InvocationID: "1"},
		"ping":                     &protocol.Ping{},
		"close":                    &protocol.Close{},
		"close with error":         &protocol.Close{Error: "over", AllowReconnect: true},
		"ack":                      &protocol.Ack{SequenceID: 1<<63 - 1},
		"sequence":                 &protocol.Sequence{SequenceID: 200},
	}
}

// mustAppend returns the bytes of m.
func mustAppend(t testing.TB, p protocol.HubProtocol, m protocol.Message) []byte {
	t.Helper()
	b, err := p.Append(nil, m)
	if err != nil {
		t.Fatalf("Append(%T): %v", m, err)
	}
	return b
}

// mustParse returns the message that data is.
func mustParse(t testing.TB, p protocol.HubProtocol, data []byte) protocol.Message {
	t.Helper()
	m, n, err := p.Parse(data)
	if err != nil || n != len(data) || m == nil {
		t.Fatalf("Parse(%q) = %T, %d, %v; want a message of %d bytes", data, m, n, err, len(data))
	}
	return m
}

func testDescription(t *testing.T, p protocol.HubProtocol) {
	if p.Name() == "" {
		t.Error("no name")
	}
	if p.Version() < 1 {
		t.Error("version", p.Version())
	}
	if f := p.TransferFormat(); f != transport.Text && f != transport.Binary {
		t.Error("transfer format", f)
	}
}

// ignoreValues leaves out of a comparison what reading turns from values into bytes.
var ignoreValues = cmp.Options{
	cmpopts.IgnoreFields(protocol.Invocation{}, "Arguments", "RawArguments"),
	cmpopts.IgnoreFields(protocol.StreamItem{}, "Item", "RawItem"),
	cmpopts.IgnoreFields(protocol.Completion{}, "Result", "RawResult"),
}

func testRoundTrip(t *testing.T, p protocol.HubProtocol) {
	for name, m := range messages() {
		t.Run(name, func(t *testing.T) {
			data := mustAppend(t, p, m)
			if p.TransferFormat() == transport.Text && !utf8.Valid(data) {
				t.Errorf("the text %q is not UTF-8", data)
			}
			if again := mustAppend(t, p, m); !bytes.Equal(again, data) {
				t.Errorf("the same message becomes %q and %q", data, again)
			}
			behind, err := p.Append([]byte("before"), m)
			if want := "before" + string(data); err != nil || string(behind) != want {
				t.Errorf("Append behind other bytes = %q, %v; want %q", behind, err, want)
			}
			got := mustParse(t, p, data)
			if diff := cmp.Diff(m, got, ignoreValues); diff != "" {
				t.Error("message (-written +read):", diff)
			}
			compareValues(t, p, m, got)
		})
	}
}

// compareValues checks that the values of the message want, whose types tell what they have to become, have arrived.
func compareValues(t *testing.T, p protocol.HubProtocol, want, got protocol.Message) {
	t.Helper()
	switch got := got.(type) {
	case *protocol.Invocation:
		values := want.(*protocol.Invocation).Arguments
		dst := make([]any, len(values))
		for i, v := range values {
			dst[i] = newOf(v)
		}
		if err := p.DecodeArguments(got.RawArguments, dst...); err != nil {
			t.Fatal("DecodeArguments:", err)
		}
		for i, v := range values {
			compareValue(t, v, dst[i])
		}
		if got.Arguments != nil {
			t.Error("a message that was read has Arguments")
		}
	case *protocol.StreamItem:
		decodeValue(t, p, got.RawItem, want.(*protocol.StreamItem).Item)
	case *protocol.Completion:
		if want := want.(*protocol.Completion); want.HasResult {
			decodeValue(t, p, got.RawResult, want.Result)
		}
	}
}

// testIncomplete checks that no part of a message is taken for one.
func testIncomplete(t *testing.T, p protocol.HubProtocol) {
	for name, m := range messages() {
		data := mustAppend(t, p, m)
		for i := range data {
			if m, n, err := p.Parse(data[:i:i]); m != nil || n != 0 || err != nil {
				t.Errorf("%s: Parse of %d of %d bytes = %T, %d, %v", name, i, len(data), m, n, err)
			}
		}
	}
}

func testSeveralMessages(t *testing.T, p protocol.HubProtocol) {
	var data []byte
	var want []protocol.Message
	var err error
	for _, m := range messages() {
		want = append(want, m)
		if data, err = p.Append(data, m); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range want {
		got, n, err := p.Parse(data)
		if err != nil || n == 0 {
			t.Fatalf("message %d: Parse = %d, %v", i, n, err)
		}
		if diff := cmp.Diff(m, got, ignoreValues); diff != "" {
			t.Errorf("message %d (-written +read): %s", i, diff)
		}
		compareValues(t, p, m, got)
		data = data[n:]
	}
	if m, n, err := p.Parse(data); m != nil || n != 0 || err != nil {
		t.Errorf("Parse of nothing = %T, %d, %v", m, n, err)
	}
}

// testUnknownType checks that a type of a later version is skipped (F-071). Such a message is a Ping whose number, in
// text or as a byte, is another.
func testUnknownType(t *testing.T, p protocol.HubProtocol) {
	data := mustAppend(t, p, &protocol.Ping{})
	found := false
	for i, b := range data {
		switch b {
		case byte(protocol.PingType), '0' + byte(protocol.PingType):
			data[i] -= byte(protocol.PingType)
			found = true
		}
	}
	if !found {
		t.Fatalf("no number of a type in %q", data)
	}
	if m, n, err := p.Parse(append(bytes.Clone(data), data...)); m != nil || n != len(data) || err != nil {
		t.Errorf("Parse(%q) = %T, %d, %v; want nil, %d", data, m, n, err, len(data))
	}
}

func testAppendFails(t *testing.T, p protocol.HubProtocol) {
	for name, m := range map[string]protocol.Message{
		"argument":     &protocol.Invocation{Target: "Send", Arguments: []any{"x", func() {}}},
		"deep inside":  &protocol.Invocation{Target: "Send", Arguments: []any{map[string]any{"a": []any{make(chan int)}}}},
		"item":         &protocol.StreamItem{InvocationID: "1", Item: func() {}},
		"result":       &protocol.Completion{InvocationID: "1", HasResult: true, Result: func() {}},
		"circle":       &protocol.StreamItem{InvocationID: "1", Item: circle()},
		"unknown kind": unknownMessage{},
	} {
		dst := []byte("before")
		if got, err := p.Append(dst, m); err == nil || string(got) != "before" {
			t.Errorf("%s: Append = %q, %v; want an error and dst as it was", name, got, err)
		}
	}
}

type unknownMessage struct{}

func (unknownMessage) Type() protocol.Type { return 99 }

func circle() any {
	type node struct{ Next *node }
	n := &node{}
	n.Next = n
	return n
}
