package protocoltest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"signalbox/signalr/protocol"
)

// newOf returns a pointer to a new value of v's type, or to an any when v is nil.
func newOf(v any) any {
	if v == nil {
		return new(any)
	}
	return reflect.New(reflect.TypeOf(v)).Interface()
}

func compareValue(t *testing.T, want, dst any) {
	t.Helper()
	if diff := cmp.Diff(want, reflect.ValueOf(dst).Elem().Interface(), cmpopts.EquateNaNs()); diff != "" {
		t.Error("value (-written +read):", diff)
	}
}

// decodeValue checks that raw is want.
func decodeValue(t *testing.T, p protocol.HubProtocol, raw protocol.RawValue, want any) {
	t.Helper()
	dst := newOf(want)
	if err := p.Decode(raw, dst); err != nil {
		t.Fatal("Decode:", err)
	}
	compareValue(t, want, dst)
}

type order struct {
	ID       string
	Total    float64
	Progress int
	Paid     bool
	Status   status
	Placed   time.Time
	Shipped  *time.Time
	Took     time.Duration
	Lines    []line
	Notes    map[string]string
	Owner    *string
	Picture  []byte
	base
}

type base struct{ Version int64 }

type line struct {
	Product string
	Count   uint8
}

// status is an enumeration that travels by name.
type status int

const (
	open status = iota
	closed
)

func (s status) MarshalText() ([]byte, error) {
	return []byte([]string{"open", "closed"}[s]), nil
}

func (s *status) UnmarshalText(text []byte) error {
	switch string(text) {
	case "open":
		*s = open
	case "closed":
		*s = closed
	default:
		return fmt.Errorf("no status %q", text)
	}
	return nil
}

// testValues checks that values of many types arrive as they were, as arguments, items and results.
func testValues(t *testing.T, p protocol.HubProtocol) {
	noon := time.Date(2024, 2, 29, 12, 34, 56, 789_000_000, time.UTC)
	for name, v := range map[string]any{
		"bool": true, "string": "text", "odd string": "\"\\\x00\n\x1eÄ😀\u2028\ufeff", "empty string": "",
		"int": -5, "int8": int8(math.MinInt8), "int16": int16(math.MaxInt16), "int32": int32(math.MinInt32),
		"int64": int64(math.MinInt64), "max int64": int64(math.MaxInt64), "uint": uint(5), "uint8": uint8(255),
		"uint16": uint16(65535), "uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(0.1), "float64": 0.1, "whole float64": 5.0, "large float64": math.MaxFloat64, "tiny float64": math.SmallestNonzeroFloat64,
		"bytes": []byte{0, 1, 0x1E, 255}, "empty bytes": []byte{}, "nil bytes": []byte(nil), "array of bytes": [2]byte{1, 2},
		"slice": []int{1, 2, 3}, "empty slice": []int{}, "nil slice": []int(nil), "array": [2]string{"a", "b"},
		"map": map[string]int{"a": 1, "B": 2, "ä": 3}, "empty map": map[string]int{}, "nil map": map[string]int(nil), "map by number": map[int]string{-1: "a", 2: "b"},
		"map by name": map[status]bool{closed: true},
		"time":        noon, "zero time": time.Time{}, "duration": 90 * time.Minute, "negative duration": -26*time.Hour - 100*time.Nanosecond,
		"status": closed, "pointer": new(5), "pointer to pointer": new(new(5)), "nil pointer": (*int)(nil),
		"any": []any{nil, true, "x", []any{}, map[string]any{"a": "b"}},
		"struct": order{
			ID: "17", Total: 12.5, Progress: 40, Paid: true, Status: closed, Placed: noon, Shipped: &noon, Took: time.Second,
			Lines: []line{{"tea", 2}, {"pot", 1}}, Notes: map[string]string{"": "x"}, Owner: new("ann"), Picture: []byte{1}, base: base{7},
		},
		"zero struct":       order{},
		"pointer to struct": &line{"tea", 2},
		"slice of structs":  []line{{"tea", 2}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			data := mustAppend(t, p, &protocol.Invocation{Target: "Send", Arguments: []any{v, "behind"}})
			m := mustParse(t, p, data).(*protocol.Invocation)
			dst, behind := newOf(v), ""
			if err := p.DecodeArguments(m.RawArguments, dst, &behind); err != nil {
				t.Fatal("DecodeArguments:", err, errors.Unwrap(err))
			}
			compareUnexported(t, v, dst)
			if behind != "behind" {
				t.Errorf("the argument behind it is %q", behind)
			}
			item := mustParse(t, p, mustAppend(t, p, &protocol.StreamItem{InvocationID: "1", Item: v})).(*protocol.StreamItem)
			dst = newOf(v)
			if err := p.Decode(item.RawItem, dst); err != nil {
				t.Fatal("Decode:", err, errors.Unwrap(err))
			}
			compareUnexported(t, v, dst)
		})
	}
}

func compareUnexported(t *testing.T, want, dst any) {
	t.Helper()
	if diff := cmp.Diff(want, reflect.ValueOf(dst).Elem().Interface(), cmp.AllowUnexported(order{})); diff != "" {
		t.Error("value (-written +read):", diff)
	}
}

// testNull checks which types take a nil, and that what they held is gone.
func testNull(t *testing.T, p protocol.HubProtocol) {
	raw := mustParse(t, p, mustAppend(t, p, &protocol.StreamItem{InvocationID: "1"})).(*protocol.StreamItem).RawItem
	for _, dst := range []any{
		new("before"), new(new(5)), &[]int{1}, &map[string]int{"a": 1}, new(any("before")), &[]byte{1}, new(&line{}),
	} {
		if err := p.Decode(raw, dst); err != nil {
			t.Errorf("nil for %T: %v", dst, err)
		}
		if v := reflect.ValueOf(dst).Elem(); !v.IsZero() {
			t.Errorf("nil for %T left %v", dst, v)
		}
	}
	for _, dst := range []any{
		new(true), new(5), new(int8(5)), new(uint64(5)), new(1.5), new(closed), &line{}, &[2]int{}, new(time.Now()), new(time.Second),
	} {
		if err := p.Decode(raw, dst); err == nil {
			t.Errorf("nil for %T was taken", dst)
		}
	}
}

// testRawValue checks that a RawValue passes on what came.
func testRawValue(t *testing.T, p protocol.HubProtocol) {
	for _, v := range []any{nil, true, 5, "text", []int{1, 2}, map[string]any{"a": []string{"b"}}} {
		data := mustAppend(t, p, &protocol.Invocation{Target: "Send", Arguments: []any{v}})
		m := mustParse(t, p, data).(*protocol.Invocation)
		var raw protocol.RawValue
		if err := p.DecodeArguments(m.RawArguments, &raw); err != nil {
			t.Fatal(err)
		}
		if again := mustAppend(t, p, &protocol.Invocation{Target: "Send", Arguments: []any{raw}}); !bytes.Equal(again, data) {
			t.Errorf("%v: %q became %q", v, data, again)
		}
		var inside []protocol.RawValue
		if err := p.Decode(m.RawArguments, &inside); err != nil {
			t.Fatal(err)
		}
		if len(inside) != 1 || !bytes.Equal(inside[0], raw) {
			t.Errorf("%v: inside a slice it is %q, alone %q", v, inside, raw)
		}
		result := &protocol.Completion{InvocationID: "1", HasResult: true, RawResult: raw}
		if got := mustParse(t, p, mustAppend(t, p, result)).(*protocol.Completion); !bytes.Equal(got.RawResult, raw) {
			t.Errorf("%v: as a result it is %q, want %q", v, got.RawResult, raw)
		}
	}
}

// testArgumentErrors checks the errors of calls that do not fit their method (F-081).
func testArgumentErrors(t *testing.T, p protocol.HubProtocol) {
	raw := func(args ...any) protocol.RawValue {
		return mustParse(t, p, mustAppend(t, p, &protocol.Invocation{Target: "Send", Arguments: args})).(*protocol.Invocation).RawArguments
	}
	for _, row := range []struct {
		args []any
		dst  []any
		text string
	}{
		{nil, []any{new(int)}, "Invocation provides 0 argument(s) but target expects 1."},
		{[]any{1}, nil, "Invocation provides 1 argument(s) but target expects 0."},
		{[]any{1, 2, 3}, []any{new(int), new(int)}, "Invocation provides 3 argument(s) but target expects 2."},
		{[]any{1, 2}, []any{new(int), new(int), new(int)}, "Invocation provides 2 argument(s) but target expects 3."},
	} {
		err := p.DecodeArguments(raw(row.args...), row.dst...)
		if e, ok := errors.AsType[*protocol.ArgumentCountError](err); !ok || e.Got != len(row.args) || e.Want != len(row.dst) || e.Error() != row.text {
			t.Errorf("%d arguments for %d parameters: %v, want %s", len(row.args), len(row.dst), err, row.text)
		}
	}
	const text = "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	for _, v := range []any{"5", 1.5, true, nil, []int{5}, map[string]int{}, math.MaxInt64} {
		err := p.DecodeArguments(raw("x", v, 5), new(string), new(int32), new(int))
		if e, ok := errors.AsType[*protocol.ArgumentError](err); !ok || e.Index != 1 || e.Err == nil || e.Error() != text {
			t.Errorf("%v for an int32: %v, want an ArgumentError at index 1", v, err)
		}
	}
	for dst, v := range map[any]any{
		new(string): 5, new(bool): "true", new(float64): "1.5", new([]int): map[string]int{}, new(map[string]int): []int{}, new(line): []string{"tea"},
		new(time.Time): 5, new(status): 1, new(uint8): 256, new([]string): "x", new(*int): "5", new(uint): -1,
	} {
		if err := p.DecodeArguments(raw(v), dst); err == nil {
			t.Errorf("%v was taken for a %T", v, dst)
		}
	}
}

// testAliasing checks that a message's RawValues end where they end, and that nothing else depends on the bytes that it
// was read from.
func testAliasing(t *testing.T, p protocol.HubProtocol) {
	headers := protocol.Headers{"name": "value"}
	want := &protocol.Invocation{Headers: headers, InvocationID: "17", Target: "Send", Arguments: []any{"text", []byte{1, 2}}, StreamIDs: []string{"s"}}
	data := mustAppend(t, p, want)
	data, err := p.Append(data, &protocol.Ping{})
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(data)
	m, _, err := p.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	got := m.(*protocol.Invocation)
	var text string
	var binary []byte
	var raw protocol.RawValue
	if err := p.DecodeArguments(got.RawArguments, &text, &binary); err != nil {
		t.Fatal(err)
	}
	if err := p.DecodeArguments(got.RawArguments, &raw, new(any)); err != nil {
		t.Fatal(err)
	}
	rawBefore := bytes.Clone(raw)
	if grown := append(got.RawArguments, 0xAA, 0xAA); len(grown) == 0 || !bytes.Equal(data, before) {
		t.Error("appending to RawArguments changes the bytes behind them")
	}
	for i := range data {
		data[i] = 0xFF
	}
	if diff := cmp.Diff(want, got, ignoreValues); diff != "" {
		t.Error("the message changed with the bytes:", diff)
	}
	if text != "text" || !bytes.Equal(binary, []byte{1, 2}) || !bytes.Equal(raw, rawBefore) {
		t.Errorf("the values changed with the bytes: %q, %v, %q", text, binary, raw)
	}
}

// testConcurrency uses p from several goroutines, with types that none of them has used before.
func testConcurrency(t *testing.T, p protocol.HubProtocol) {
	type fresh struct {
		Name string
		Next *fresh
		Also map[string][]fresh
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			var buf []byte
			for i := range 50 {
				want := fresh{Name: fmt.Sprint(worker), Next: &fresh{Name: fmt.Sprint(i)}, Also: map[string][]fresh{"a": {{Name: "b"}}}}
				var err error
				if buf, err = p.Append(buf[:0], &protocol.Completion{InvocationID: "1", HasResult: true, Result: want}); err != nil {
					t.Error(err)
					return
				}
				m, _, err := p.Parse(buf)
				if err != nil {
					t.Error(err)
					return
				}
				var got fresh
				if err := p.Decode(m.(*protocol.Completion).RawResult, &got); err != nil {
					t.Error(err)
					return
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}
