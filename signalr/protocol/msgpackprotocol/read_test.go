package msgpackprotocol

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/protocol"
)

// readTypes are the Go types for the .NET types of values-read.txt.
var readTypes = map[string]reflect.Type{
	"byte": reflect.TypeFor[uint8](), "sbyte": reflect.TypeFor[int8](), "short": reflect.TypeFor[int16](), "ushort": reflect.TypeFor[uint16](),
	"int": reflect.TypeFor[int32](), "uint": reflect.TypeFor[uint32](), "long": reflect.TypeFor[int64](), "ulong": reflect.TypeFor[uint64](),
	"int?": reflect.TypeFor[*int32](), "bool": reflect.TypeFor[bool](), "char": reflect.TypeFor[uint16](),
	"float": reflect.TypeFor[float32](), "double": reflect.TypeFor[float64](),
	"string": reflect.TypeFor[*string](), "byte[]": reflect.TypeFor[[]byte](),
	"DateTime": reflect.TypeFor[time.Time](), "DateTime?": reflect.TypeFor[*time.Time](), "DateTime[]": reflect.TypeFor[[]time.Time](),
	"TimeSpan": reflect.TypeFor[time.Duration](), "Guid": reflect.TypeFor[guid](),
	"Colour": reflect.TypeFor[colour](), "Colour?": reflect.TypeFor[*colour](),
	"int[]": reflect.TypeFor[[]int32](), "List<int>": reflect.TypeFor[[]int32](), "IEnumerable<int>": reflect.TypeFor[[]int32](),
	"IReadOnlyList<int>": reflect.TypeFor[[]int32](), "int?[]": reflect.TypeFor[[]*int32](), "string[]": reflect.TypeFor[[]*string](),
	"int[][]": reflect.TypeFor[[][]int32](), "object": reflect.TypeFor[any](), "object[]": reflect.TypeFor[[]any](),
	"dynamic-nested": reflect.TypeFor[[][]any](), "IEnumerable": reflect.TypeFor[[]any](), "ICollection": reflect.TypeFor[[]any](),
	"Dictionary<string,int>": reflect.TypeFor[map[string]int32](), "Dictionary<int,string>": reflect.TypeFor[map[int32]*string](),
	"IDictionary<string,object>": reflect.TypeFor[map[string]any](), "Dictionary<string,object>": reflect.TypeFor[map[string]any](),
	"Dictionary<object,object>": reflect.TypeFor[map[any]any](),
	"Person":                    reflect.TypeFor[*person](), "Poco": reflect.TypeFor[*poco](), "Pt": reflect.TypeFor[point](), "Empty": reflect.TypeFor[*empty](),
	"KeyedStr": reflect.TypeFor[*keyedStr](), "DC": reflect.TypeFor[*dataContract](), "GetOnly": reflect.TypeFor[*getOnly](),
	"WithNullables": reflect.TypeFor[*withNullables](), "Holder": reflect.TypeFor[*holder](), "Complex": reflect.TypeFor[*complexValue](),
	"Node": reflect.TypeFor[*node](),
}

// unreadTypes are the .NET types of values-read.txt without a counterpart in Go.
var unreadTypes = map[string]string{
	"decimal": "no such type", "BigInteger": "big.Int makes itself text", "DateTimeOffset": "time.Time is DateTime",
	"DateOnly": "no type for a day", "TimeOnly": "no type for a time of day",
	"Perm": "as Colour", "Neg": "as Colour", "Renamed": "as Colour",
	"Uri": "a type with UnmarshalText", "Version": "a type with UnmarshalText", "StringBuilder": "a string",
	"ReadOnlyMemory<byte>": "byte[] is the counterpart of []byte", "HashSet<string>": "no sets", "int[,]": "no arrays of two dimensions",
	"ImmutableArray<int>": "a slice", "ExpandoObject": "a map", "Keyed": "structs are maps", "IU": "no unions", "Exception": "no such type",
	"Tuple<int,string>": "no tuples", "(int,string)": "no tuples", "KeyValuePair<string,int>": "no pairs",
	"JsonElement": "System.Text.Json's own", "JsonDocument": "System.Text.Json's own",
}

// describedElsewise are rows whose values the reference prints in another way than describeValue.
var describedElsewise = map[string]string{
	"char:65": "UInt16(65)", "char:u16": "UInt16(8364)",
	"Dictionary<int,string>:x":    `{Int32(-1): null, Int32(1): "a"}`,
	"Dictionary<object,object>:x": `{Byte(1): "a", true: "b"}`,
	"Poco:camelmix":               `Poco(Id=Int32(1), Name="n", camelCase="c", Field=Int32(5))`,
	"DC:x":                        `DC(Name="n", Age=Int32(3))`,
}

// listTypes matches the type in front of the elements of a list or map.
var listTypes = regexp.MustCompile(`[A-Z]\w*(<[\w,]+>)?(\[\])*([\[{])`)

func TestDecodeValues(t *testing.T) {
	p := New(nil)
	for _, row := range vectors(t, "values-read.txt") {
		t.Run(row[0], func(t *testing.T) {
			if reason, ok := unreadTypes[row[1]]; ok {
				t.Skip(reason)
			}
			typ, ok := readTypes[row[1]]
			if !ok {
				t.Fatal("no type for this row")
			}
			// As in a message: one argument, and the array of stream ids behind.
			args := append(append([]byte{0x91}, unhex(t, row[2])...), 0x90)
			dst := reflect.New(typ)
			err := p.DecodeArguments(args, dst.Interface())
			if row[3] != "ok" {
				checkFailure(t, err, row)
				return
			}
			if err != nil {
				t.Fatal(err, innermost(err))
			}
			want, ok := describedElsewise[row[0]]
			if !ok {
				want = row[4]
			}
			switch got := describeValue(dst.Interface()); {
			case strings.HasPrefix(want, "array nested"):
				if n := strings.Count(got, "["); fmt.Sprintf("array nested %d deep around null", n) != want {
					t.Errorf("%d deep, want %s", n, want)
				}
			case strings.HasPrefix(want, "Node(chain"):
				if n := strings.Count(got, "Next="); fmt.Sprintf("Node(chain of %d)", n) != want {
					t.Errorf("%d nodes, want %s", n, want)
				}
			default:
				if want = listTypes.ReplaceAllString(want, "$3"); got != want {
					t.Errorf("\n got %s\nwant %s", got, want)
				}
			}
		})
	}
}

// checkFailure compares the cause of err with the reference's where it is one that this package names as well.
func checkFailure(t *testing.T, err error, row []string) {
	t.Helper()
	want := row[4]
	if err == nil {
		t.Fatal("decoded, want", want)
	}
	if row[0] == "int[]:huge-count-neg" {
		return // the reference takes so large a count for a negative number
	}
	name, text, _ := strings.Cut(want, ": ")
	ours := strings.HasPrefix(text, "Unexpected msgpack code") || name == "EndOfStreamException" || text == errOverflow.Error()
	if got := innermost(err); ours && got.Error() != text {
		t.Errorf("cause %q, want %q", got, want)
	}
}

// describeValue prints what the pointer v points to as values-read.txt does, but for the types of lists and maps.
func describeValue(v any) string { return describeReflect(reflect.ValueOf(v).Elem()) }

func describeReflect(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		return "DateTime(" + x.Format("2006-01-02T15:04:05.0000000Z07:00") + ")"
	case time.Duration:
		sign := ""
		if x < 0 {
			sign, x = "-", -x
		}
		s := minTime.Add(x).Format("15:04:05.0000000")
		return "TimeSpan(" + sign + strings.TrimSuffix(s, ".0000000") + ")"
	case guid:
		b, _ := x.MarshalText()
		return "Guid(" + string(b) + ")"
	case colour:
		b, _ := x.MarshalText()
		return fmt.Sprintf("Colour(%d = %s)", x, b)
	case []byte:
		if x == nil {
			return "null"
		}
		return fmt.Sprintf("bytes(%x)", x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "null"
		}
		return describeReflect(v.Elem())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.String:
		b, _ := json.Marshal(v.String())
		return strings.NewReplacer(`\ufffd`, "\ufffd", `\u003c`, "<").Replace(string(b))
	case reflect.Float32, reflect.Float64:
		return map[int]string{32: "Single", 64: "Double"}[v.Type().Bits()] + "(" + describeFloat(v.Float(), v.Type().Bits()) + ")"
	case reflect.Slice:
		if v.IsNil() {
			return "null"
		}
		parts := []string{}
		for i := range v.Len() {
			parts = append(parts, describeReflect(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Map:
		if v.IsNil() {
			return "null"
		}
		parts := []string{}
		for iter := v.MapRange(); iter.Next(); {
			parts = append(parts, describeReflect(iter.Key())+": "+describeReflect(iter.Value()))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Struct:
		return describeStruct(v)
	default:
		names := map[reflect.Kind]string{
			reflect.Uint8: "Byte", reflect.Int8: "SByte", reflect.Int16: "Int16", reflect.Uint16: "UInt16",
			reflect.Int32: "Int32", reflect.Uint32: "UInt32", reflect.Int64: "Int64", reflect.Uint64: "UInt64",
		}
		return fmt.Sprintf("%s(%v)", names[v.Kind()], v.Interface())
	}
}

func describeFloat(f float64, bits int) string {
	if math.IsNaN(f) {
		return "NaN"
	}
	if math.Abs(f) >= 1e17 {
		return strings.ToUpper(strconv.FormatFloat(f, 'e', -1, bits))
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

var structNames = map[string]string{
	"person": "Person", "inner": "Inner", "complexValue": "Complex", "poco": "Poco", "point": "Pt", "empty": "Empty", "baseC": "BaseC",
	"holder": "Holder", "node": "Node", "keyedStr": "KeyedStr", "dataContract": "DC", "getOnly": "GetOnly", "withNullables": "WithNullables",
}

func describeStruct(v reflect.Value) string {
	var parts []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Name
		switch tag := f.Tag.Get("msgpack"); tag {
		case "-":
			continue
		case "Id", "camelCase": // .NET's own names, which Go would spell otherwise
			name = tag
		}
		parts = append(parts, name+"="+describeReflect(v.Field(i)))
	}
	return structNames[v.Type().Name()] + "(" + strings.Join(parts, ", ") + ")"
}

func TestDecodeOtherValues(t *testing.T) {
	p := New(nil)
	type embedding struct {
		*Shared
		B int
	}
	for _, row := range []struct {
		name, in  string
		dst, want any
	}{
		{"nil for a string", "\xc0", new("before"), new("")},
		{"int", "\xcc\xff", new(int), new(255)},
		{"own methods", "\x91\x07", new(msgpValue), &msgpValue{7}},
		{"own methods inside", "\x91\x91\x07", new([]msgpValue), &[]msgpValue{{7}}},
		{"raw inside", "\x81\xa1a\x92\x01\xc0", new(map[string]protocol.RawValue), &map[string]protocol.RawValue{"a": []byte("\x92\x01\xc0")}},
		{"array", "\x92\x01\x02", new([2]int), &[2]int{1, 2}},
		{"array of bytes", "\xc4\x02\x01\x02", new([2]byte), &[2]byte{1, 2}},
		{"struct is replaced", "\x81\xa1X\x01", &point{5, 6}, &point{1, 0}},
		{"last member counts", "\x82\xa1X\x01\xa1X\x02", new(point), &point{2, 0}},
		{"last struct replaces", "\x82\xa4Item\x81\xa1B\x01\xa4Item\x80", new(holder), &holder{Item: &baseC{}}},
		{"embedded pointer", "\x82\xa1A\x01\xa1B\x02", new(embedding), &embedding{&Shared{1}, 2}},
		{"text key", "\x81\xa5Green\x01", new(map[colour]int), &map[colour]int{1: 1}},
		{"nil text that can be nil", "\xc0", &textBytes{1}, new(textBytes)},
		{"time in any", "\xd6\xff\x00\x00\x00\x05", new(any), anyOf(time.Unix(5, 0).UTC())},
		{"map in any", "\x81\xa1a\x01", new(any), anyOf(map[string]any{"a": uint8(1)})},
		{"map with other keys in any", "\x81\xc3\x01", new(any), anyOf(map[any]any{true: uint8(1)})},
		{"maximal subparts", "\xa4\xf0\x9f\x98x", new(""), new("\ufffdx")},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := p.Decode(protocol.RawValue(row.in), row.dst); err != nil {
				t.Fatal(err, innermost(err))
			}
			if diff := cmp.Diff(row.want, row.dst, cmp.AllowUnexported(msgpValue{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Shared is embedded by pointer, which only an exported type allows.
type Shared struct{ A int }

func anyOf(v any) *any { return &v }

// textBytes is text that can be nil, as net.IP is.
type textBytes []byte

func (b *textBytes) UnmarshalText(text []byte) error {
	*b = append(textBytes{}, text...)
	return nil
}

func TestDecodeFails(t *testing.T) {
	p := New(nil)
	deep := strings.Repeat("\x91", 501) + "\xc0"
	for _, row := range []struct {
		name, in string
		dst      any
	}{
		{"two values", "\x01\x02", new(int)},
		{"nothing", "", new(int)},
		{"duplicate key", "\x82\xa1a\x01\xa1a\x02", new(map[string]int)},
		{"duplicate key in any", "\x82\xa1a\x01\xa1a\x02", new(any)},
		{"nil key", "\x81\xc0\x01", new(map[string]int)},
		{"key that has no hash", "\x81\x90\x01", new(any)},
		{"array too long", "\x93\x01\x02\x03", new([2]int)},
		{"array too short", "\x91\x01", new([2]int)},
		{"too many bytes", "\xc4\x03\x01\x02\x03", new([2]byte)},
		{"bytes from str8", "\xd9\x01a", new([]byte)},
		{"byte too large", "\x91\xcd\x01\x00", new([]byte)},
		{"deep any", deep, new(any)},
		{"deep own methods", deep, new(msgpValue)},
		{"own methods leave a rest", "\x92\x07\x07", new(lazyMsgp)},
		{"extension in any", "\xd4\x05\x01", new(any)},
		{"time span too long", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", new(time.Duration)},
		{"time too late", "\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x3a\xff\xf4\x41\x80", new(time.Time)},
		{"interface with methods", "\xa1a", new(fmt.Stringer)},
		{"function", "\x01", new(func())},
		{"no pointer", "\x01", 5},
		{"nil pointer", "\x01", (*uint8)(nil)},
		{"no fields", "\x80", new(struct{ hidden int })},
		{"huge count", "\xdd\xff\xff\xff\xff\x01", new([]int)},
		{"huge map", "\xdf\x7f\xff\xff\xff\x01", new(map[string]int)},
		{"huge binary", "\xc6\xff\xff\xff\xff\x01", new([]byte)},
		{"huge extension", "\xc9\xff\xff\xff\xff\xff\x01", new(any)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := p.Decode(protocol.RawValue(row.in), row.dst); err == nil {
				t.Error("decoded")
			}
		})
	}
}

// lazyMsgp has an UnmarshalMsg that reads less than there is.
type lazyMsgp struct{}

func (*lazyMsgp) UnmarshalMsg(b []byte) ([]byte, error) { return b[1:], nil }

func TestMaxDepth(t *testing.T) {
	p := New(&Options{MaxDepth: 3})
	var v any
	if err := p.Decode(protocol.RawValue("\x91\x91\x91\xc0"), &v); err != nil {
		t.Error("three deep:", err)
	}
	if err := p.Decode(protocol.RawValue("\x91\x91\x91\x90"), &v); err == nil {
		t.Error("four deep: no error")
	}
	if _, err := p.appendValue(nil, []any{[]any{[]any{1}}}); err != nil {
		t.Error("writing three deep:", err)
	}
	if _, err := p.appendValue(nil, []any{[]any{[]any{[]any{}}}}); err == nil {
		t.Error("writing four deep: no error")
	}
}

// The errors of items and results have the reference's words.
func TestDecodeErrorText(t *testing.T) {
	err := New(nil).Decode(protocol.RawValue("\xa1x"), new(int32))
	want := "Deserializing object of the `Int32` type for 'argument' failed."
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if named(err) != "InvalidDataException: "+want {
		t.Error(named(err))
	}
}
