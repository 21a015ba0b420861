package msgpackprotocol

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// FuzzParse checks that no bytes make Parse panic or read too far, and that what it returns is sound.
func FuzzParse(f *testing.F) {
	for _, row := range vectors(f, "frames-read.txt") {
		f.Add(unhex(f, row[1]))
	}
	for _, row := range vectors(f, "messages-write.txt") {
		f.Add(unhex(f, row[2]))
	}
	for _, row := range vectors(f, "js-client-write.txt") {
		f.Add(unhex(f, row[1]))
	}
	p := New(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, n, err := p.Parse(data)
		if err != nil || n == 0 {
			if m != nil || n != 0 {
				t.Fatal("no message, but:", m, n, err)
			}
			return
		}
		again, k, err := p.Parse(append(bytes.Clone(data[:n]), "more"...))
		if err != nil || k != n {
			t.Fatal("alone it is:", k, err)
		}
		ignoreErrors := cmp.Comparer(func(a, b error) bool { return (a == nil) == (b == nil) })
		if diff := cmp.Diff(m, again, ignoreErrors); diff != "" {
			t.Error("with other bytes behind:", diff)
		}
		switch m := m.(type) {
		case *protocol.Invocation:
			if (m.ArgumentsErr == nil) != isOneValue(m.RawArguments) {
				t.Errorf("arguments %x, error %v", []byte(m.RawArguments), m.ArgumentsErr)
			}
			checkWritable(t, p, m)
		case *protocol.StreamItem:
			if (m.ItemErr == nil) != isOneValue(m.RawItem) {
				t.Errorf("item %x, error %v", []byte(m.RawItem), m.ItemErr)
			}
		case *protocol.Completion:
			if m.HasResult && (m.ResultErr == nil) != isOneValue(m.RawResult) {
				t.Errorf("result %x, error %v", []byte(m.RawResult), m.ResultErr)
			}
		}
	})
}

// checkWritable checks that an envelope that was read can be written and read again.
func checkWritable(t *testing.T, p *Protocol, m *protocol.Invocation) {
	t.Helper()
	out, err := p.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := p.Parse(out)
	if err != nil {
		t.Fatalf("%x: %v", out, err)
	}
	if got := again.(*protocol.Invocation); got.Target != m.Target || got.InvocationID != m.InvocationID || len(got.StreamIDs) != len(m.StreamIDs) {
		t.Errorf("%+v is written %x", m, out)
	}
}

// everything has a field of every type that is decoded in a way of its own.
type everything struct {
	B bool
	I int
	U uint8
	F float32
	S string
	Y []byte
	T time.Time
	D time.Duration
	R protocol.RawValue
	E colour
	P *everything
	L []everything
	M map[string]everything
	N map[int]string
	A any
	C [2]int
	G *msgpValue
	point
}

// targetTypes are the types that the fuzz target decodes into.
var targetTypes = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint64](), reflect.TypeFor[float64](), reflect.TypeFor[bool](),
	reflect.TypeFor[any](), reflect.TypeFor[protocol.RawValue](), reflect.TypeFor[[]byte](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[time.Duration](), reflect.TypeFor[everything](), reflect.TypeFor[[]any](), reflect.TypeFor[map[any]any](), reflect.TypeFor[map[string]*int](),
}

// FuzzDecodeArguments checks that no bytes make DecodeArguments panic, and that what was decoded once is the same when
// it is written and decoded again.
func FuzzDecodeArguments(f *testing.F) {
	p := New(nil)
	for i, row := range vectors(f, "values-read.txt") {
		if value := unhex(f, row[2]); len(value) < 300 {
			f.Add(append([]byte{0x91}, value...), uint8(i))
		}
	}
	for i := range targetTypes {
		f.Add([]byte("\x91"+strings.Repeat("\x91", 500)+"\xc0"), uint8(i))
	}
	full := everything{
		B: true, I: -1, U: 2, F: 1.5, S: "x", Y: []byte{1}, T: noon, D: time.Second, R: protocol.RawValue("\x91\x01"), E: 1, P: &everything{},
		L: []everything{{}}, M: map[string]everything{"a": {}}, N: map[int]string{1: "a"}, A: []any{uint8(1), "x", nil}, C: [2]int{1, 2}, G: &msgpValue{7},
	}
	args, err := p.appendValue([]byte{0x91}, full)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(args, uint8(10))
	f.Fuzz(func(t *testing.T, args []byte, which uint8) {
		typ := targetTypes[int(which)%len(targetTypes)]
		dst := reflect.New(typ)
		before := bytes.Clone(args)
		err := p.DecodeArguments(args, dst.Interface())
		if !bytes.Equal(args, before) {
			t.Fatal("the arguments have changed")
		}
		if err != nil {
			return
		}
		out, err := p.appendValue(nil, dst.Elem().Interface())
		if err != nil {
			t.Fatalf("%x: %v", args, err)
		}
		again := reflect.New(typ)
		if err := p.Decode(out, again.Interface()); err != nil {
			t.Fatalf("%x becomes %x: %v", args, out, err)
		}
		twice, err := p.appendValue(nil, again.Elem().Interface())
		if err != nil || !bytes.Equal(twice, out) {
			t.Errorf("%x becomes %x, and that %x, %v", args, out, twice, err)
		}
	})
}
