package jsonprotocol

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/protocoltest"
)

func TestSuite(t *testing.T) {
	protocoltest.Run(t, New(nil))
}

func TestSuiteAsDeclared(t *testing.T) {
	protocoltest.Run(t, New(&Options{PropertyNames: AsDeclared}))
}

func TestAppendMessages(t *testing.T) {
	p := New(nil)
	headers := protocol.Headers{"b": "2", "a": "1"}
	for _, row := range []struct {
		m    protocol.Message
		want string
	}{
		{
			&protocol.Invocation{Headers: headers, InvocationID: "1", Target: "T", Arguments: []any{1, nil}, StreamIDs: []string{"s"}},
			`{"type":1,"headers":{"a":"1","b":"2"},"invocationId":"1","target":"T","arguments":[1,null],"streamIds":["s"]}`,
		},
		{&protocol.Invocation{Target: "T"}, `{"type":1,"target":"T","arguments":[]}`},
		{&protocol.Invocation{Stream: true, InvocationID: "1", Target: "T"}, `{"type":4,"invocationId":"1","target":"T","arguments":[]}`},
		{&protocol.StreamItem{Headers: headers, InvocationID: "1"}, `{"type":2,"headers":{"a":"1","b":"2"},"invocationId":"1","item":null}`},
		{&protocol.Completion{InvocationID: "1"}, `{"type":3,"invocationId":"1"}`},
		{&protocol.Completion{InvocationID: "1", HasResult: true}, `{"type":3,"invocationId":"1","result":null}`},
		{&protocol.Completion{InvocationID: "1", Error: "x", HasResult: true, Result: 1}, `{"type":3,"invocationId":"1","error":"x"}`},
		{&protocol.Completion{InvocationID: "1", HasError: true}, `{"type":3,"invocationId":"1"}`},
		{
			&protocol.Completion{InvocationID: "1", HasResult: true, RawResult: protocol.RawValue(`[ 1.0 ]`)},
			`{"type":3,"invocationId":"1","result":[ 1.0 ]}`,
		},
		{&protocol.CancelInvocation{InvocationID: "1"}, `{"type":5,"invocationId":"1"}`},
		{&protocol.Ping{}, `{"type":6}`},
		{&protocol.Close{}, `{"type":7}`},
		{&protocol.Close{Error: "x", AllowReconnect: true}, `{"type":7,"error":"x","allowReconnect":true}`},
		{&protocol.Ack{SequenceID: 5}, `{"type":8,"sequenceId":5}`},
		{&protocol.Sequence{SequenceID: -5}, `{"type":9,"sequenceId":-5}`},
	} {
		got, err := p.Append([]byte("before"), row.m)
		if want := "before" + row.want + "\x1e"; err != nil || string(got) != want {
			t.Errorf("Append(%#v)\n got %s, %v\nwant %s", row.m, got, err, want)
		}
	}
}

type (
	policy struct {
		UserName string
		ID       int
		URLValue string
		IDs      []int
		X        int
		XMLHTTP  int
		Ünïcode  int
		Tagged   int    `json:"AsTagged"`
		Options  int    `json:",omitzero"`
		Empty    []int  `json:",omitempty"`
		Quoted   uint64 `json:",string"`
		Hidden   int    `json:"-"`
		Inner    policyInner
		embedded
		*Pointed
	}
	policyInner struct{ FieldName bool }
	embedded    struct{ FromEmbedded int }
	// Pointed is embedded by pointer, which only an exported type allows.
	Pointed struct{ FromPointed int }
)

func TestPropertyNames(t *testing.T) {
	v := policy{Quoted: 5, Hidden: 7, Pointed: &Pointed{1}}
	for policy, want := range map[NamePolicy]string{
		CamelCase: `{"userName":"","id":0,"urlValue":"","iDs":null,"x":0,"xmlhttp":0,"ünïcode":0,"AsTagged":0,"quoted":"5",` +
			`"inner":{"fieldName":false},"fromEmbedded":0,"fromPointed":1}`,
		AsDeclared: `{"UserName":"","ID":0,"URLValue":"","IDs":null,"X":0,"XMLHTTP":0,"Ünïcode":0,"AsTagged":0,"Quoted":"5",` +
			`"Inner":{"FieldName":false},"FromEmbedded":0,"FromPointed":1}`,
	} {
		p := New(&Options{PropertyNames: policy})
		got, err := p.appendValue(nil, v, 1)
		if err != nil || string(got) != want {
			t.Errorf("\n got %s, %v\nwant %s", got, err, want)
		}
		var back = v
		if err := p.Decode(got, &back); err != nil {
			t.Errorf("reading it: %v, %v", err, errors.Unwrap(err))
		}
		again, err := p.appendValue(nil, back, 1)
		if err != nil || string(again) != want {
			t.Errorf("read and written again: %s, %v", again, err)
		}
	}
}

func TestCamelCase(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "a": "a", "A": "a", "UserName": "userName", "ID": "id", "URLValue": "urlValue", "IDs": "iDs", "ABC": "abc", "AB1": "aB1",
		"A1": "a1", "X2Y": "x2Y", "_A": "_A", "Ärger": "ärger", "IPhone": "iPhone", "iPhone": "iPhone",
	} {
		if got := camelCase(name); got != want {
			t.Errorf("camelCase(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	for _, row := range []struct {
		f    float64
		bits int
		want string
	}{
		{0, 64, "0"}, {math.Copysign(0, -1), 64, "-0"}, {1, 64, "1"}, {-1.5, 64, "-1.5"}, {0.1, 64, "0.1"}, {123456789, 64, "123456789"},
		{1e15, 64, "1000000000000000"}, {1e16, 64, "10000000000000000"}, {1e17, 64, "1E+17"}, {-1e21, 64, "-1E+21"},
		{12345678901234567, 64, "12345678901234568"}, {123456789012345680, 64, "1.2345678901234568E+17"},
		{0.0001, 64, "0.0001"}, {0.00001, 64, "1E-05"}, {1.5e-7, 64, "1.5E-07"}, {5e-324, 64, "5E-324"},
		{math.MaxFloat64, 64, "1.7976931348623157E+308"}, {0.30000000000000004, 64, "0.30000000000000004"}, {99999999999999990, 64, "99999999999999980"},
		{float64(float32(0.1)), 32, "0.1"}, {1e8, 32, "100000000"}, {1e9, 32, "1E+09"}, {float64(float32(16777216)), 32, "16777216"},
		{math.MaxFloat32, 32, "3.4028235E+38"}, {math.SmallestNonzeroFloat32, 32, "1E-45"},
	} {
		got, err := appendFloat(nil, row.f, row.bits)
		if err != nil || string(got) != row.want {
			t.Errorf("%v: %s, %v; want %s", row.f, got, err, row.want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got, err := appendFloat(nil, f, 64); err == nil {
			t.Errorf("%v: %s", f, got)
		}
	}
}

// Every float reads back as itself.
func FuzzFloat(f *testing.F) {
	for _, bits := range []uint64{0, 1, math.Float64bits(1.5), math.Float64bits(1e17), math.Float64bits(-1e-5)} {
		f.Add(bits)
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		s, err := appendFloat(nil, v, 64)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := strconv.ParseFloat(string(s), 64); err != nil || math.Float64bits(back) != bits {
			t.Errorf("%v is written %s, which is %v, %v", v, s, back, err)
		}
		w := math.Float32frombits(uint32(bits))
		if w != w || math.IsInf(float64(w), 0) {
			return
		}
		s, err = appendFloat(nil, float64(w), 32)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := strconv.ParseFloat(string(s), 32); err != nil || float32(back) != w {
			t.Errorf("%v is written %s, which is %v, %v", w, s, back, err)
		}
	})
}

// The table of escapes agrees with Go's tables as far as they can: whatever either Unicode version knows as a letter,
// mark, number, sign or mark of punctuation is not escaped, and what is always escaped is.
func TestEscapedRanges(t *testing.T) {
	last := -1
	for _, r := range escapedRanges {
		if int(r[0]) <= last || r[1] < r[0] {
			t.Errorf("range %04X-%04X is out of order", r[0], r[1])
		}
		last = int(r[1])
	}
	for c := rune(0x80); c <= 0xFFFF; c++ {
		switch {
		case unicode.IsOneOf([]*unicode.RangeTable{unicode.L, unicode.M, unicode.N, unicode.P, unicode.S}, c):
			if isEscaped(c) {
				t.Errorf("%U is escaped", c)
			}
		case unicode.IsOneOf([]*unicode.RangeTable{unicode.Z, unicode.Cc, unicode.Cs, unicode.Co}, c), c == 0xFEFF:
			if !isEscaped(c) {
				t.Errorf("%U is not escaped", c)
			}
		}
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"a\xffb": `"a\uFFFDb"`, "\xf0\x9f\x98": `"\uFFFD"`, "\xed\xa0\x80": `"\uFFFD\uFFFD\uFFFD"`, "\ufffd": `"` + "\ufffd" + `"`,
		"😀": `"\uD83D\uDE00"`, "\U0010FFFF": `"\uDBFF\uDFFF"`, "\x1e": `"\u001E"`, "\x7f": `"\u007F"`, "ä\u00a0日": `"ä\u00A0日"`, "</'+&>": `"</'+&>"`,
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
		if got := string(appendString(nil, []byte(in))); got != want {
			t.Errorf("bytes %q: %s, want %s", in, got, want)
		}
	}
}

type (
	named   float64
	celsius struct{ Degrees named }
	custom  struct{ n int }
	// upper has methods of the pointer for text.
	upper   string
	custom2 struct{ n int }
)

func (c custom) MarshalJSON() ([]byte, error) {
	return []byte(`{ "n" : ` + strconv.Itoa(c.n) + ` }`), nil
}

func (c *custom) UnmarshalJSON(b []byte) error {
	_, digits, _ := strings.Cut(string(b), ":")
	n, err := strconv.Atoi(strings.Trim(digits, " }"))
	c.n = n
	return err
}

func (c *custom2) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.Int(int64(c.n)))
}

func (u *upper) MarshalText() ([]byte, error) { return []byte(strings.ToUpper(string(*u))), nil }

func TestAppendValues(t *testing.T) {
	p := New(nil)
	noon := time.Date(2024, 2, 29, 12, 34, 56, 789_000_000, time.UTC)
	for _, row := range []struct {
		name string
		v    any
		want string
	}{
		{"named float", celsius{1e21}, `{"degrees":1E+21}`},
		{"float32", float32(0.1), "0.1"},
		{"own method", []custom{{1}}, `[{"n":1}]`},
		{"own method of the pointer", custom2{5}, "5"},
		{"nil with own method", (*custom)(nil), "null"},
		{"text of the pointer", []upper{"a<"}, `["A<"]`},
		{"text as key", map[status]int{1: 2}, `{"closed":2}`},
		{"keys in order", map[int]int{10: 1, 9: 2}, `{"10":1,"9":2}`},
		{"raw", map[string]protocol.RawValue{"a": protocol.RawValue(` [ 1.0 , "\u0041\/" ] `), "b": nil}, `{"a":[1.0,"A/"],"b":null}`},
		{"time", noon, `"2024-02-29T12:34:56.789Z"`},
		{"nanoseconds are cut", noon.Add(199), `"2024-02-29T12:34:56.7890001Z"`},
		{"time with offset", noon.In(time.FixedZone("", -90*60)), `"2024-02-29T11:04:56.789-01:30"`},
		{"time with seconds in its offset", noon.In(time.FixedZone("", 61)), `"2024-02-29T12:34:56.789Z"`},
		{"time parsed by others", mustTime("2024-02-29T12:34:56+00:00"), `"2024-02-29T12:34:56+00:00"`},
		{"pointer to time", &noon, `"2024-02-29T12:34:56.789Z"`},
		{"duration", 26*time.Hour + 3*time.Minute + 4*time.Second + 500*time.Millisecond, `"1.02:03:04.5000000"`},
		{"negative duration", -time.Second, `"-00:00:01"`},
		{"longest duration", time.Duration(math.MinInt64), `"-106751.23:47:16.8547758"`},
		{"any", map[string]any{"b": []any{nil, 1.5, "x"}, "a": map[string]any{}}, `{"a":{},"b":[null,1.5,"x"]}`},
		{"nil error", error(nil), "null"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := p.appendValue(nil, row.v, 1)
			if err != nil || string(got) != row.want {
				t.Errorf("\n got %s, %v\nwant %s", got, err, row.want)
			}
		})
	}
}

// status is an enumeration that travels by name.
type status int

func (s status) MarshalText() ([]byte, error) { return []byte([]string{"open", "closed"}[s]), nil }

func (s *status) UnmarshalText(text []byte) error {
	switch string(text) {
	case "open":
		*s = 0
	case "closed":
		*s = 1
	default:
		return errors.New("no such status")
	}
	return nil
}

func mustTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAppendValuesFails(t *testing.T) {
	p := New(nil)
	deep := any(1)
	for range 64 {
		deep = []any{deep}
	}
	var circle any
	circle = &circle
	for name, v := range map[string]any{
		"raw, no JSON": protocol.RawValue("[1,]"), "raw, empty": protocol.RawValue{}, "raw, two values": protocol.RawValue("1 2"),
		"raw, half a pair": protocol.RawValue(`"\ud800"`), "raw, deep": protocol.RawValue(strings.Repeat("[", 64) + strings.Repeat("]", 64)),
		"NaN": math.NaN(), "infinity inside": []float64{1, math.Inf(1)}, "deep": deep, "circle": circle, "map key": map[float64]int{1: 1},
		"channel": make(chan int), "no fields": struct{ hidden int }{}, "year 0": time.Date(0, 12, 31, 0, 0, 0, 0, time.UTC),
		"same name twice": struct {
			X int
			B int `json:"x"`
		}{}, "string option": struct {
			A bool `json:",string"`
		}{}, "embedded number": struct{ named }{},
		"own method writes no JSON": badJSON{},
	} {
		if got, err := p.Append([]byte("before"), &protocol.StreamItem{InvocationID: "1", Item: v}); err == nil || string(got) != "before" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

type badJSON struct{}

func (badJSON) MarshalJSON() ([]byte, error) { return []byte("[1,"), nil }

func TestDecodeValues(t *testing.T) {
	p := New(nil)
	type inner struct{ Name, Value *string }
	type outer struct {
		Inner  inner
		Map    map[string]inner
		Any    any
		Float  named
		Ints   []int
		Raw    protocol.RawValue
		Time   *time.Time
		Took   time.Duration
		Status status
		Bytes  []byte
		FooBar int
	}
	for _, row := range []struct {
		name, in string
		dst      any
		want     any
	}{
		{"null for a string", "null", new("before"), new("")},
		{"uint64", "18446744073709551615", new(uint64), new(uint64(math.MaxUint64))},
		{"int8", "-128", new(int8), new(int8(-128))},
		{"infinity", "1e400", new(float64), new(math.Inf(1))},
		{"infinity inside", `[-1e400,1e39]`, new([]float32), &[]float32{float32(math.Inf(-1)), float32(math.Inf(1))}},
		{"named infinity", `{"float":1e400}`, new(outer), &outer{Float: named(math.Inf(1))}},
		{"last struct replaces", `{"inner":{"name":"a"},"INNER":{"value":"b"}}`, new(outer), &outer{Inner: inner{Value: new("b")}}},
		{"last map entry replaces", `{"map":{"a":{"name":"a"},"a":{"value":"b"}}}`, new(outer), &outer{Map: map[string]inner{"a": {Value: new("b")}}}},
		{"last map replaces", `{"map":{"a":{}},"map":{"b":{}}}`, new(outer), &outer{Map: map[string]inner{"b": {}}}},
		{"last any replaces", `{"any":{"a":1},"any":{"b":2}}`, new(outer), &outer{Any: map[string]any{"b": 2.0}}},
		{"what was there goes", `{"any":1}`, &outer{FooBar: 5, Any: map[string]any{}}, &outer{Any: 1.0}},
		{"what was there goes, with null", `{"any":null}`, &outer{FooBar: 5, Ints: []int{1}}, &outer{}},
		{"underscores are no dashes", `{"foo_bar":1,"foo-bar":2,"FOOBAR":3}`, new(outer), &outer{FooBar: 3}},
		{"known types inside", `{"raw": [ 1 ],"time":"2000-01-01T00:00:00Z","took":"00:00:01.5","status":"closed","bytes":" AQ I=","any":null}`, new(outer),
			&outer{Raw: protocol.RawValue("[ 1 ]"), Time: new(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), Took: 1500 * time.Millisecond, Status: 1, Bytes: []byte{1, 2}}},
		{"raw null inside", `{"raw":null}`, new(outer), &outer{Raw: protocol.RawValue("null")}},
		{"escaped name", `{"\u0066oobar":1}`, new(outer), &outer{FooBar: 1}},
		{"map by number", `{"-1":"a"}`, new(map[int]string), &map[int]string{-1: "a"}},
		{"own method", ` {"n":5} `, new(custom), &custom{5}},
		{"own method gets null too", `[null]`, new([]lenient), &[]lenient{{"null"}}},
		{"any", `{"a":[1,null,"x",{"b":true}]}`, new(any), anyOf(map[string]any{"a": []any{1.0, nil, "x", map[string]any{"b": true}}})},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := p.Decode(protocol.RawValue(row.in), row.dst); err != nil {
				t.Fatal(err, errors.Unwrap(err))
			}
			if diff := cmp.Diff(row.want, row.dst, cmp.AllowUnexported(custom{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func anyOf(v any) *any { return &v }

// lenient keeps whatever JSON it gets.
type lenient struct{ Text string }

func (l *lenient) UnmarshalJSON(b []byte) error {
	l.Text = string(b)
	return nil
}

func (l lenient) MarshalJSON() ([]byte, error) {
	if l.Text == "" {
		return []byte("null"), nil
	}
	return []byte(l.Text), nil
}

func TestDecodeFails(t *testing.T) {
	p := New(nil)
	for _, row := range []struct {
		in  string
		dst any
	}{
		{"", new(int)}, {"1 2", new(int)}, {"[1,]", new(any)}, {"1.0", new(uint64)}, {"-0", new(uint64)}, {"1e2", new(int8)}, {`"1"`, new(uint16)},
		{"300", new(uint8)}, {"null", new(uint8)}, {"[null]", new([]int)}, {`{"a":null}`, new(map[string]bool)}, {"null", new([2]int)},
		{`"closed"`, new(int)}, {"1", new(status)}, {"null", new(status)}, {`["closed",null]`, new([]status)}, {`{"degrees":null}`, new(celsius)},
		{`"00:00"`, new(time.Duration)}, {`"24:00:00"`, new(time.Duration)}, {`"00:60:00"`, new(time.Duration)}, {`"1:00:00:00"`, new(time.Duration)},
		{`"00:00:01."`, new(time.Duration)}, {`"00:00:01.12345678"`, new(time.Duration)}, {`"106752.00:00:00"`, new(time.Duration)}, {`"99999999.00:00:00"`, new(time.Duration)},
		{"5", new(time.Duration)}, {"[1,2,3]", new([2]int)}, {`{"a":1}`, new(map[int]int)}, {"1", 5}, {"1", (*uint8)(nil)}, {"1", new(func())},
		{`"\ud800"`, new(any)}, {"\"\xff\"", new(any)}, {`{"\ud800":1}`, new(map[string]int)},
	} {
		if err := p.Decode(protocol.RawValue(row.in), row.dst); err == nil {
			t.Errorf("%s for a %T: no error", row.in, row.dst)
		}
	}
}

// The text of the errors of items and results is .NET's, for scalars to the last position.
func TestDecodeErrorText(t *testing.T) {
	p := New(nil)
	for _, row := range []struct {
		in   string
		dst  any
		want string
	}{
		{"null", new(int), "The JSON value could not be converted to System.Int32. Path: $ | LineNumber: 0 | BytePositionInLine: 4."},
		{`"forty-two"`, new(int32), "The JSON value could not be converted to System.Int32. Path: $ | LineNumber: 0 | BytePositionInLine: 11."},
		{"5", new(*string), "The JSON value could not be converted to System.String. Path: $ | LineNumber: 0 | BytePositionInLine: 1."},
		{"[1,2]", new(int32), "The JSON value could not be converted to System.Int32. Path: $ | LineNumber: 0 | BytePositionInLine: 1."},
	} {
		err := p.Decode(protocol.RawValue(row.in), row.dst)
		if err == nil || err.Error() != row.want {
			t.Errorf("%v\nwant %s", err, row.want)
		}
		if named, ok := err.(interface{ ErrorName() string }); !ok || named.ErrorName() != "JsonException" {
			t.Errorf("%T has not the name JsonException", err)
		}
	}
	err := p.Decode(protocol.RawValue(`{"a":[1,true]}`), new(map[string][]int))
	if want := "Path: $.a[1] | LineNumber: 0"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"00:00:00": 0, "-00:00:00.0000001": -100, "1.02:03:04.5": 26*time.Hour + 3*time.Minute + 4500*time.Millisecond,
		"106751.23:47:16.8547758": math.MaxInt64 / 100 * 100, "10.00:00:00": 240 * time.Hour,
	} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", in, got, err, want)
		}
	}
}

// FuzzString checks that any text is one JSON string, in ASCII where it has to be, that reads back as the same text.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\/\b\f\n\r\t", "ä😀\u2028", "\xff\xf0\x9f\x98", "\x00\x1e\x7f\u0080"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token := appendString(nil, s)
		if end := skipString(token, 0); end != len(token) {
			t.Fatalf("%q is written %q, of which the string is %d bytes", s, token, end)
		}
		got, err := decodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(s) && got != s {
			t.Errorf("%q is written %q, which is %q", s, token, got)
		}
		again, err := appendRaw(nil, token, 1)
		if err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(s) && string(again) != string(token) {
			t.Errorf("%q passes through as %q", token, again)
		}
	})
}
