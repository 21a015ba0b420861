package msgpackprotocol

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// writtenMessages are the messages of messages-write.txt.
var writtenMessages = map[string]protocol.Message{
	"invocation-noid-noargs":      &protocol.Invocation{Target: "method"},
	"invocation-noid-int":         &protocol.Invocation{Target: "method", Arguments: []any{42}},
	"invocation-id":               &protocol.Invocation{InvocationID: "xyz", Target: "method"},
	"invocation-id-args":          &protocol.Invocation{InvocationID: "xyz", Target: "method", Arguments: []any{42, "string", true, nil}},
	"invocation-emptyid":          &protocol.Invocation{Target: "method", Arguments: []any{}},
	"invocation-headers-emptymap": &protocol.Invocation{Headers: protocol.Headers{}, InvocationID: "xyz", Target: "method"},
	"invocation-traceparent": &protocol.Invocation{
		Headers:      protocol.Headers{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		InvocationID: "1", Target: "Echo", Arguments: []any{"a"},
	},
	"invocation-noid-streamid":        &protocol.Invocation{Target: "Target", StreamIDs: []string{"__test_id__"}},
	"invocation-streamids-emptyarray": &protocol.Invocation{InvocationID: "1", Target: "T", StreamIDs: []string{}},
	"invocation-target-31":            &protocol.Invocation{Target: strings.Repeat("t", 31)},
	"invocation-target-32":            &protocol.Invocation{Target: strings.Repeat("t", 32)},
	"invocation-longarg-len128":       &protocol.Invocation{Target: "R", Arguments: []any{strings.Repeat("y", 116)}},
	"invocation-longarg-len16383":     &protocol.Invocation{Target: "R", Arguments: []any{strings.Repeat("y", 16370)}},
	"streaminvocation":                &protocol.Invocation{Stream: true, InvocationID: "xyz", Target: "method", Arguments: []any{42}},
	"streaminvocation-noargs":         &protocol.Invocation{Stream: true, InvocationID: "xyz", Target: "method"},
	"streamitem-int":                  &protocol.StreamItem{InvocationID: "xyz", Item: 42},
	"streamitem-null":                 &protocol.StreamItem{InvocationID: "xyz"},
	"streamitem-string":               &protocol.StreamItem{InvocationID: "xyz", Item: "item"},
	"streamitem-object":               &protocol.StreamItem{InvocationID: "xyz", Item: person{new("Ann"), 41}},
	"streamitem-headers":              &protocol.StreamItem{Headers: protocol.Headers{"a": "b"}, InvocationID: "xyz", Item: 42},
	"completion-error":                &protocol.Completion{InvocationID: "xyz", Error: "Error not found!"},
	"completion-error-long":           &protocol.Completion{InvocationID: "xyz", Error: strings.Repeat("x", 200)},
	"completion-void":                 &protocol.Completion{InvocationID: "xyz"},
	"completion-result-int":           &protocol.Completion{InvocationID: "xyz", HasResult: true, Result: 42},
	"completion-result-string":        &protocol.Completion{InvocationID: "xyz", HasResult: true, Result: "str"},
	"completion-result-object":        &protocol.Completion{InvocationID: "xyz", HasResult: true, Result: &person{new("Ann"), 41}},
	"completion-result-array":         &protocol.Completion{InvocationID: "xyz", HasResult: true, Result: []int{1, 2, 300}},
	"cancel":                          &protocol.CancelInvocation{InvocationID: "xyz"},
	"cancel-headers":                  &protocol.CancelInvocation{Headers: protocol.Headers{"a": "b"}, InvocationID: "xyz"},
	"close":                           &protocol.Close{},
	"close-error":                     &protocol.Close{Error: "Error!"},
	"close-error-reconnect":           &protocol.Close{Error: "Error!", AllowReconnect: true},
	"close-reconnect":                 &protocol.Close{AllowReconnect: true},
	"ack-0":                           &protocol.Ack{},
	"ack-42":                          &protocol.Ack{SequenceID: 42},
	"ack-127":                         &protocol.Ack{SequenceID: 127},
	"ack-128":                         &protocol.Ack{SequenceID: 128},
	"ack-2pow32":                      &protocol.Ack{SequenceID: 1 << 32},
	"ack-maxint64":                    &protocol.Ack{SequenceID: 1<<63 - 1},
	"sequence-1":                      &protocol.Sequence{SequenceID: 1},
	"sequence-146":                    &protocol.Sequence{SequenceID: 146},
	"sequence-65536":                  &protocol.Sequence{SequenceID: 65536},
}

func TestAppendMessages(t *testing.T) {
	p := New(nil)
	for _, row := range vectors(t, "messages-write.txt") {
		t.Run(row[0], func(t *testing.T) {
			m, ok := writtenMessages[row[0]]
			if !ok {
				t.Fatal("no message for this row")
			}
			want := unhex(t, row[2])
			got, err := p.Append([]byte("before"), m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]byte("before"), want...), got); diff != "" {
				t.Error("bytes (-reference +ours):", diff)
			}
			back, n, err := p.Parse(want)
			if err != nil || n != len(want) || back.Type() != m.Type() {
				t.Errorf("Parse = %T, %d, %v", back, n, err)
			}
		})
	}
}

// An error without text is told from none (F-068).
func TestAppendEmptyError(t *testing.T) {
	got, err := New(nil).Append(nil, &protocol.Completion{InvocationID: "x", HasError: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]byte("\x07\x95\x03\x80\xa1x\x01\xa0"), got); diff != "" {
		t.Error(diff)
	}
}

// What another connection of this protocol received passes through as it is.
func TestAppendRawResult(t *testing.T) {
	p := New(nil)
	want := []byte("\x0a\x95\x03\x80\xa1x\x03\x92\xcc\x01\xc0")
	got, err := p.Append(nil, &protocol.Completion{InvocationID: "x", HasResult: true, RawResult: protocol.RawValue("\x92\xcc\x01\xc0")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAppendFails(t *testing.T) {
	p := New(nil)
	for name, value := range map[string]any{
		"function":         func() {},
		"raw cut short":    protocol.RawValue("\x92\x01"),
		"two raw values":   protocol.RawValue("\x01\x02"),
		"empty raw value":  protocol.RawValue{},
		"time before 1":    minTime.Add(-1),
		"no fields":        struct{ hidden int }{},
		"circle":           circle(),
		"interface circle": interfaceCircle(),
	} {
		t.Run(name, func(t *testing.T) {
			dst := []byte("before")
			got, err := p.Append(dst, &protocol.StreamItem{InvocationID: "1", Item: value})
			if err == nil {
				t.Fatalf("Append = %x", got)
			}
			if string(got) != "before" {
				t.Errorf("dst = %q", got)
			}
		})
	}
}

func circle() any {
	n := &node{}
	n.Next = n
	return n
}

func interfaceCircle() any {
	var v any
	v = &v
	return v
}
