package msgpackprotocol

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

var (
	noon    = time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC)
	minTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(9999, 12, 31, 23, 59, 59, 999_999_900, time.UTC)
)

// mapping counts up to n the entries of a map from k0, k1 and so on.
func counted(n int) map[string]int32 {
	m := map[string]int32{}
	for i := range n {
		m[fmt.Sprintf("k%d", i)] = int32(i)
	}
	return m
}

func numbered(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

// writtenValues are the Go values for the rows of values-write.txt.
var writtenValues = map[string]any{
	"bool-true":  true,
	"bool-false": false,

	"char:A": uint16('A'), "char:é": uint16('é'), "char:€": uint16('€'),
	"half:1.5":       float32(1.5),
	"complex-number": []float64{1, 2},

	"decimal:0": text("0"), "decimal:1": text("1"), "decimal:-1": text("-1"), "decimal:1.0": text("1.0"), "decimal:0.1": text("0.1"),
	"decimal:79228162514264337593543950335":  text("79228162514264337593543950335"),
	"decimal:-79228162514264337593543950335": text("-79228162514264337593543950335"),
	"decimal:0.0000000000000000000000000001": text("0.0000000000000000000000000001"),

	"string-empty": "", "string-a": "a",
	"string-31": strings.Repeat("s", 31), "string-32": strings.Repeat("s", 32),
	"string-255": strings.Repeat("s", 255), "string-256": strings.Repeat("s", 256), "string-65535": strings.Repeat("s", 65535),
	"string-umlaut": "äöü", "string-cjk": "日本語", "string-emoji": "😀",
	"string-nul": "a\x00b", "string-rs": "a\x1eb", "string-bom": "\ufeffx",
	"string-umlaut-16x": strings.Repeat("ü", 16), "string-utf8-est-85": strings.Repeat("é", 15),
	"string-10-cjk": strings.Repeat("日", 10), "string-11-cjk": strings.Repeat("日", 11),
	"string-85-cjk": strings.Repeat("日", 85), "string-86-cjk": strings.Repeat("日", 86),
	"stringbuilder": "sb", "uri": text("http://example.com/a?b=c#d"), "version": text("1.2.3.4"),

	"bytes-empty": []byte{}, "bytes-3": []byte{1, 2, 255}, "bytes-255": make([]byte, 255), "bytes-256": make([]byte, 256),
	"bytes-65536": make([]byte, 65536), "memory-bytes": []byte{1, 2}, "romemory-bytes": []byte{1, 2},
	"arraysegment-bytes": [2]byte{2, 3},

	"datetime-utc-seconds": noon, "datetime-unspecified": noon,
	"datetime-epoch":                      time.Unix(0, 0),
	"datetime-2pow32-1":                   time.Unix(1<<32-1, 0),
	"datetime-2pow32":                     time.Unix(1<<32, 0),
	"datetime-2pow34-1":                   time.Unix(1<<34-1, 0),
	"datetime-utc-100ns":                  noon.Add(100),
	"datetime-2pow32-frac":                time.Unix(1<<32, 500),
	"datetime-2pow34-frac":                time.Unix(1<<34, 500),
	"datetime-before-epoch":               time.Unix(-1, 0),
	"datetime-min":                        minTime,
	"datetime-min-utc":                    time.Time{},
	"datetime-max":                        maxTime,
	"datetime-local(TZ=UTC)":              noon.Local(),
	"datetime-local(TZ=America/New_York)": time.Date(2024, 2, 29, 12, 34, 56, 0, time.FixedZone("EST", -5*3600)),

	"timespan-zero": time.Duration(0), "timespan-1s": time.Second, "timespan-neg": -100 * time.Nanosecond,

	"guid":       mustGUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
	"guid-empty": guid{}, "guid-upper": mustGUID("FFFFFFFF-ABCD-EFAB-CDEF-ABCDEFABCDEF"),

	"enum-red": colour(0), "enum-blue": colour(2), "enum-undefined": colour(7), "enum-undefined-neg": colour(-1),
	"enum-flags-none": text("None"), "enum-flags-undefined": text("16"), "enum-neg": text("Low"), "enum-neg-undefined": text("-7"),
	"enum-ulong-max": text("Max"), "enum-ulong-undefined": text("5"), "enum-enummember-B": text("B"), "enum-dayofweek": text("Friday"),
	"enum-array": []colour{0, 1}, "enum-dict-key": map[colour]int32{1: 1},

	"array-int": []int32{1, 2, 300}, "array-empty": []int32{}, "array-15": numbered(15), "array-16": numbered(16),
	"array-string": []*string{new("a"), nil, new("")}, "array-nested": [][]int32{{1}, {}, nil}, "array-nullable": []*int32{new(int32(1)), nil},
	"array-bool": []bool{true, false}, "array-double": []float64{1, 2.5}, "array-float": [1]float32{1}, "array-char": []uint16{'a', 'b'},
	"array-sbyte": []int8{1, -1}, "array-datetime": []time.Time{noon},
	"list-int": []int32{1, 2}, "hashset": []string{"a", "b"}, "stack": []int32{2, 1}, "linkedlist": [2]int32{1, 2},
	"arraylist": []any{int32(1), "a"}, "hashtable": map[string]any{"a": int32(1)},
	"immutable-array": []int32{1, 2}, "immutable-list": []int32{1, 2}, "immutable-dict": map[string]int32{"a": 1},
	"readonlycollection": []int32{1}, "bitarray": []bool{true, false, true},

	"dict-string-int": map[string]int32{"a": 1, "B": 2}, "dict-empty": map[string]int32{},
	"dict-int-string": map[int32]*string{1: new("a"), -1: nil}, "dict-16": counted(16), "dict-15": counted(15),
	"dict-guid-key": map[guid]int32{{}: 1}, "sorteddict": map[string]int32{"b": 1, "a": 2},

	"poco-nulls": poco{}, "record": person{new("Ann"), 41}, "record-null": &person{}, "complex-nulls": complexValue{},
	"empty-class": empty{}, "object": struct{}{}, "struct-fields": point{1, -2},
	"anonymous": struct {
		ID    int32  `msgpack:"Id"`
		Name  string `msgpack:"name"`
		Inner struct{ A *string }
	}{ID: 1, Name: "x"},
	"derived":                derivedC{baseC{1}, 2},
	"holder-derived-in-base": holder{Item: &baseC{1}, Any: derivedC{baseC{1}, 2}},
	"holder-any-int":         holder{Any: int32(300)},
	"keyed-map":              keyedAsMap{A: 1, C: new("c"), Skip: 5},
	"keyed-str":              keyedStr{1, new("c")},
	"datacontract":           dataContract{Name: new("n"), Age: 1},
	"ignored-members":        ignoring{1, 2, 3},
	"linked-nodes":           node{Next: &node{V: 2}, V: 1},
	"nullables-null":         withNullables{},
	"expando":                map[string]any{"a": int32(1), "B": "x"},
	"nil":                    nil,

	"delegate": func() {}, "ienumerable-lazy": func(func(int32) bool) {}, "linq-where-list": func(func(int32) bool) {},
	"cancellationtoken": make(chan struct{}), "stream": struct{ hidden int }{},
}

// otherOrder are the rows with a map whose members .NET wrote in the order of their insertion, and Go in that of their
// keys.
var otherOrder = map[string]bool{"dict-string-int": true, "dict-int-string": true, "dict-15": true, "dict-16": true, "expando": true}

// noCounterpart are the rows of values-write.txt for which Go has no type, or none that says the same.
var noCounterpart = map[string]string{
	"nint:5":     "IntPtr is refused; Go's int is an ordinary number",
	"intptr":     "IntPtr is refused; Go's int is an ordinary number",
	"int128":     "no such type",
	"bigint:5":   "big.Int makes itself text",
	"list-bytes": "a slice of bytes is binary, whichever kind of list it would be in .NET",
	"dto-utc":    "time.Time is DateTime", "dto-plus2": "time.Time is DateTime", "dto-min": "time.Time is DateTime",
	"dto-max": "time.Time is DateTime", "dto-epoch-plus14": "time.Time is DateTime",
	"dateonly": "no type for a day", "dateonly-min": "no type for a day",
	"timespan-max": "more than a Duration holds", "timespan-min": "more than a Duration holds",
	"array-2d": "no arrays of two dimensions", "kvp": "no pairs", "tuple": "no tuples", "valuetuple": "no tuples",
	"valuetuple-named": "no tuples", "tuple-1": "no tuples",
	"datacontract-order": "structs are maps", "union-concrete": "no unions", "lazy": "no lazy values",
	"lookup": "no such type", "grouping": "no such type", "dbnull": "no such type", "cultureinfo": "no such type",
	"ipaddress": "an address makes itself text", "index-range": "no such type", "rune": "a rune is a number",
	"jsonelement-object": "System.Text.Json's own", "jsondocument": "System.Text.Json's own", "jsonnode": "System.Text.Json's own",
}

// writtenNumber returns the Go value for a row whose name is that of a number, such as int-neg5 or ulong:7.
func writtenNumber(name string) (any, bool) {
	if digits, ok := strings.CutPrefix(name, "int-"); ok {
		digits = strings.Replace(digits, "neg", "-", 1)
		n, err := strconv.ParseInt(digits, 10, 32)
		return int32(n), err == nil
	}
	kind, digits, _ := strings.Cut(name, ":")
	signed, errSigned := strconv.ParseInt(digits, 10, 64)
	unsigned, errUnsigned := strconv.ParseUint(digits, 10, 64)
	number, errFloat := strconv.ParseFloat(digits, 64)
	switch kind {
	case "sbyte":
		return int8(signed), errSigned == nil
	case "short":
		return int16(signed), errSigned == nil
	case "long":
		return signed, errSigned == nil
	case "byte":
		return uint8(unsigned), errUnsigned == nil
	case "ushort":
		return uint16(unsigned), errUnsigned == nil
	case "uint":
		return uint32(unsigned), errUnsigned == nil
	case "ulong":
		return unsigned, errUnsigned == nil
	case "float":
		return float32(number), errFloat == nil
	case "double":
		return number, errFloat == nil
	default:
		return nil, false
	}
}

func TestAppendValues(t *testing.T) {
	p := New(nil)
	for _, row := range vectors(t, "values-write.txt") {
		t.Run(row[0], func(t *testing.T) {
			if reason, ok := noCounterpart[row[0]]; ok {
				t.Skip(reason)
			}
			v, ok := writtenValues[row[0]]
			if !ok {
				v, ok = writtenNumber(row[0])
			}
			if !ok {
				t.Fatal("no value for this row")
			}
			got, err := p.appendValue(nil, v)
			if row[2] == "error" {
				if err == nil {
					t.Fatalf("%x, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := unhex(t, row[3])
			if otherOrder[row[0]] {
				if diff := cmp.Diff(decodeAny(t, p, want), decodeAny(t, p, got)); diff != "" || len(got) != len(want) {
					t.Error("values (-reference +ours):", diff)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("bytes (-reference +ours):", diff)
			}
		})
	}
}

func decodeAny(t *testing.T, p *Protocol, v protocol.RawValue) any {
	t.Helper()
	var out any
	if err := p.Decode(v, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Integers in places of type any have the full width of their type, as in .NET, but for int and uint.
func TestAppendAnyPlaces(t *testing.T) {
	p := New(nil)
	for _, row := range []struct {
		name string
		v    any
		want string
	}{
		{"int8", []any{int8(1)}, "\x91\xd0\x01"},
		{"int16", []any{int16(1)}, "\x91\xd1\x00\x01"},
		{"int32", []any{int32(-1)}, "\x91\xd2\xff\xff\xff\xff"},
		{"int64", []any{int64(1)}, "\x91\xd3\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"uint8", []any{uint8(1)}, "\x91\xcc\x01"},
		{"uint16", []any{uint16(1)}, "\x91\xcd\x00\x01"},
		{"uint32", []any{uint32(1)}, "\x91\xce\x00\x00\x00\x01"},
		{"uint64", []any{uint64(1)}, "\x91\xcf\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"int", []any{1, -1}, "\x92\x01\xff"},
		{"uint", []any{uint(1)}, "\x91\x01"},
		{"pointer", []any{new(int16(1))}, "\x91\xd1\x00\x01"},
		{"key", map[any]any{uint8(1): nil}, "\x81\xcc\x01\xc0"},
		{"inside a struct", []any{point{1, 2}}, "\x91\x82\xa1X\x01\xa1Y\x02"},
		{"enumeration", []any{colour(1)}, "\x91\xa5Green"},
		{"top level", int32(1), "\x01"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := p.appendValue(nil, row.v)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAppendOtherValues(t *testing.T) {
	p := New(nil)
	type options struct {
		A int    `msgpack:"a,omitzero"`
		B string `msgpack:",omitempty"`
		C *int   `msgpack:"c"`
	}
	for _, row := range []struct {
		name string
		v    any
		want string
	}{
		{"invalid UTF-8", "a\xf0\x9f\x98", "\xa4a\xef\xbf\xbd"},
		{"NaN", math.Copysign(math.NaN(), 1), "\xcb\xff\xf8\x00\x00\x00\x00\x00\x00"},
		{"nanoseconds are cut", time.Unix(5, 199), "\xd7\xff\x00\x00\x01\x90\x00\x00\x00\x05"},
		{"options, zero", options{}, "\x81\xa1c\xc0"},
		{"options, set", options{1, "x", new(2)}, "\x83\xa1a\x01\xa1B\xa1x\xa1c\x02"},
		{"raw", []protocol.RawValue{protocol.RawValue("\xcc\x01"), nil}, "\x92\xcc\x01\xc0"},
		{"nil slice", []int(nil), "\xc0"},
		{"nil map", map[string]int(nil), "\xc0"},
		{"nil bytes", []byte(nil), "\xc0"},
		{"nil pointer", (*person)(nil), "\xc0"},
		{"pointer to time", new(noon), "\xd6\xff\x65\xe0\x79\xf0"},
		{"own methods", msgpValue{7}, "\x91\x07"},
		{"own methods by pointer", &msgpValue{7}, "\x91\x07"},
		{"numeric keys in order", map[int]bool{10: true, 9: true, -1: true}, "\x83\xff\xc3\x09\xc3\x0a\xc3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := p.appendValue(nil, row.v)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// msgpValue has the methods that tinylib/msgp generates.
type msgpValue struct{ n int }

func (v *msgpValue) MarshalMsg(dst []byte) ([]byte, error) {
	return append(dst, 0x91, byte(v.n)), nil
}

func (v *msgpValue) UnmarshalMsg(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != 0x91 {
		return b, codeError(b[0])
	}
	v.n = int(b[1])
	return b[2:], nil
}
