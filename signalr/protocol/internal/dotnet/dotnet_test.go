package dotnet

import (
	"reflect"
	"testing"
	"time"
)

func TestValidString(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "aä日😀\ufffd": "aä日😀\ufffd",
		"\xff": "\ufffd", "a\x80b": "a\ufffdb", "\xc3": "\ufffd", "\xc3\xc3": "\ufffd\ufffd", "\xc0\x80": "\ufffd\ufffd",
		"\xe2\x82": "\ufffd", "\xe2\x82x": "\ufffdx", "\xe0\x80\x80": "\ufffd\ufffd\ufffd", "\xed\xa0\x80": "\ufffd\ufffd\ufffd",
		"\xf0\x9f\x98": "\ufffd", "\xf0\x9fx": "\ufffdx", "\xf0\x80\x80\x80": "\ufffd\ufffd\ufffd\ufffd", "\xf4\x90\x80\x80": "\ufffd\ufffd\ufffd\ufffd",
		"\xf5\x80": "\ufffd\ufffd", "\xff\xd0": "\ufffd\ufffd", "a\xf0\x90\x80": "a\ufffd",
	} {
		if got := ValidString([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestIsDateTime(t *testing.T) {
	for _, row := range []struct {
		t    time.Time
		want bool
	}{
		{time.Time{}, true}, {minTime.Add(-1), false}, {maxTime, true}, {maxTime.Add(1), false}, {time.Unix(1<<40, 0), false}, {time.Now(), true},
	} {
		if got := IsDateTime(row.t); got != row.want {
			t.Errorf("%v: %v", row.t, got)
		}
	}
}

func TestTypeName(t *testing.T) {
	type status string
	for want, typ := range map[string]reflect.Type{
		"Int32": reflect.TypeFor[int](), "UInt64": reflect.TypeFor[*uint64](), "String": reflect.TypeFor[**string](), "Double": reflect.TypeFor[float64](),
		"Byte": reflect.TypeFor[uint8](), "Byte[]": reflect.TypeFor[[]byte](), "DateTime": reflect.TypeFor[time.Time](), "TimeSpan": reflect.TypeFor[time.Duration](),
		"status": reflect.TypeFor[status](), "[]int": reflect.TypeFor[[]int](), "Boolean": reflect.TypeFor[bool](), "Single": reflect.TypeFor[float32](),
	} {
		if got := TypeName(typ); got != want {
			t.Errorf("%v: %s, want %s", typ, got, want)
		}
	}
}
