package jsonprotocol

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// FuzzParse checks that no bytes make Parse panic or read too far, that it agrees with itself on what it returns, and
// that what it takes for JSON is JSON.
func FuzzParse(f *testing.F) {
	for _, row := range records {
		f.Add([]byte(row.record + "\x1e"))
	}
	f.Add(invocation)
	p := New(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, n, err := p.Parse(data)
		if err != nil {
			if m != nil || n != 0 {
				t.Fatal("an error with a message:", m, n, err)
			}
			return
		}
		if end := bytes.IndexByte(data, recordSeparator); n != end+1 {
			t.Fatalf("n = %d, the separator is at %d", n, end)
		}
		again, k, err := p.Parse(append(bytes.Clone(data[:n]), "more"...))
		if err != nil || k != n {
			t.Fatal("alone it is:", k, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error("with other bytes behind:", diff)
		}
		switch m := m.(type) {
		case *protocol.Invocation:
			checkRaw(t, m.RawArguments)
			checkWritable(t, p, m)
		case *protocol.StreamItem:
			checkRaw(t, m.RawItem)
		case *protocol.Completion:
			if m.HasResult {
				checkRaw(t, m.RawResult)
			}
		}
	})
}

// checkRaw checks that raw is one JSON value, and that what it passes through as passes through as it is. Only what was
// no UTF-8 changes twice: to an escaped U+FFFD, and to a real one.
func checkRaw(t *testing.T, raw protocol.RawValue) {
	t.Helper()
	if end := skipValue(raw, 0, 1); end != len(raw) {
		t.Fatalf("%q is not one value", raw)
	}
	out, err := appendRaw(nil, raw, 1)
	if err != nil {
		return // half a surrogate pair
	}
	twice, err := appendRaw(nil, out, 1)
	if err != nil || utf8.Valid(raw) && !bytes.Equal(twice, out) {
		t.Fatalf("%q passes through as %q, and that as %q, %v", raw, out, twice, err)
	}
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
		t.Fatalf("%q: %v", out, err)
	}
	if got := again.(*protocol.Invocation); got.Target != m.Target || got.InvocationID != m.InvocationID || len(got.StreamIDs) != len(m.StreamIDs) {
		t.Errorf("%+v is written %q", m, out)
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
	E status
	P *everything
	L []everything
	M map[string]everything
	N map[int]string
	A any
	C [2]int
	J lenient
	celsius
}

// targetTypes are the types that the fuzz target decodes into.
var targetTypes = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint64](), reflect.TypeFor[float64](), reflect.TypeFor[bool](),
	reflect.TypeFor[any](), reflect.TypeFor[protocol.RawValue](), reflect.TypeFor[[]byte](), reflect.TypeFor[time.Time](),
	reflect.TypeFor[time.Duration](), reflect.TypeFor[everything](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]*int](),
}

// FuzzDecodeArguments checks that no bytes make DecodeArguments panic, and that what was decoded once is the same when
// it is written and decoded again.
func FuzzDecodeArguments(f *testing.F) {
	for _, s := range []string{
		`["x",1]`, `[null,null]`, `[`, `[1`, `[1,]`, ` [ ] `, `[1e400]`, `[18446744073709551615]`, `["\ud83d\ude00"]`, `["2000-01-01T00:00:00.5+01:00"]`,
		`["1.02:03:04.5"]`, `["AQ I="]`, `[{"b":true,"i":1,"u":2,"f":1.5,"s":"x","y":"AQI=","t":"2000-01-01","d":"00:00:01","r":[1],"e":"open","p":{"b":false},` +
			`"l":[{"i":1}],"m":{"a":{}},"n":{"1":"a"},"a":{"x":[null]},"c":[1,2],"j":7,"degrees":1}]`,
		`[{"p":null,"P":{"s":"a"},"p":{"i":1}}]`, `[{"a":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}]`, `[null]`, `[[null]]`, `[{"a":null}]`,
	} {
		for i := range targetTypes {
			f.Add([]byte(s), uint8(i))
		}
	}
	p := New(nil)
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
		out, err := p.appendValue(nil, dst.Elem().Interface(), 2)
		if err != nil {
			return // such as infinity
		}
		again := reflect.New(typ)
		if err := p.Decode(out, again.Interface()); err != nil {
			t.Fatalf("%q becomes %q: %v", args, out, err)
		}
		twice, err := p.appendValue(nil, again.Elem().Interface(), 2)
		if err != nil || utf8.Valid(args) && !bytes.Equal(twice, out) {
			t.Errorf("%q becomes %q, and that %q, %v", args, out, twice, err)
		}
	})
}

// FuzzTime checks that every time that is read is written so that it reads back as the same.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"2000-01-01", "2000-01-01T00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999-00:01", "2000-02-29T12:00:00.5+14:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		moment, err := parseTime(s)
		if err != nil {
			return
		}
		out, err := appendTime(nil, moment)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		again, err := parseTime(strings.Trim(string(out), `"`))
		if err != nil || !again.Equal(moment) {
			t.Errorf("%s is %v, written %s, read %v, %v", s, moment, out, again, err)
		}
		if d, err := parseDuration(s); err == nil {
			if back, err := parseDuration(strings.Trim(string(appendDuration(nil, d)), `"`)); err != nil || back != d {
				t.Errorf("%s is %v, read back %v, %v", s, d, back, err)
			}
		}
	})
}
