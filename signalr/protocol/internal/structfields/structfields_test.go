package structfields

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type (
	inner struct {
		A, Shared int
		Tagged    int `k:"t"`
	}
	// Pointed is embedded by pointer, which only an exported type allows.
	Pointed struct {
		P      int
		Shared int
	}
	hidden struct{ Q int }
	loop   struct {
		//lint:ignore U1000 it is what is tested: a type that embeds itself
		*loop
		L int
	}
	number int
)

func names(t *testing.T, v any) []string {
	t.Helper()
	fields, err := Of(reflect.TypeOf(v), "k", strings.ToLower)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

func TestOf(t *testing.T) {
	for _, row := range []struct {
		name string
		v    any
		want []string
	}{
		{"empty", struct{}{}, nil},
		{"names", struct {
			A, b int
			C    int `k:"see"`
			D    int `k:"-"`
			E    int `k:",omitzero"`
			F    int `json:"other"`
		}{}, []string{"a", "see", "e", "f"}},
		{"embedded", struct {
			inner
			*Pointed
			B int
		}{}, []string{"a", "t", "p", "b"}}, // Shared is ambiguous
		{"the outer field wins", struct {
			inner
			A, Shared int
		}{}, []string{"t", "a", "shared"}},
		{"the tagged field wins", struct {
			inner
			Pointed
			other struct{}
			hiddenTagged
		}{}, []string{"a", "t", "p", "shared"}},
		{"embedded with a name", struct {
			Pointed `k:"in"`
		}{}, []string{"in"}},
		{"embedded by option", struct {
			X inner `k:",embed"`
		}{}, []string{"a", "shared", "t"}},
		{"unexported embedded by pointer", struct{ *hidden }{}, []string{"q"}},
		{"embeds itself", loop{}, []string{"l"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, names(t, row.v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

type hiddenTagged struct {
	X int `k:"shared"`
}

func TestOfFails(t *testing.T) {
	for name, v := range map[string]any{
		"nothing to show": struct{ a int }{},
		"one name twice": struct {
			A int
			B int `k:"a"`
		}{},
		"embedded number": struct{ number }{},
	} {
		if fields, err := Of(reflect.TypeOf(v), "k", strings.ToLower); err == nil {
			t.Errorf("%s: %v", name, fields)
		}
	}
}

func TestAccess(t *testing.T) {
	type outer struct {
		*Pointed
		*hidden
	}
	fields, err := Of(reflect.TypeFor[outer](), "k", strings.ToLower)
	if err != nil {
		t.Fatal(err)
	}
	var v outer
	rv := reflect.ValueOf(&v).Elem()
	for i := range fields {
		if _, ok := fields[i].Get(rv); ok {
			t.Error(fields[i].Name, "is there although its struct is not")
		}
	}
	for i := range fields {
		fv, err := fields[i].Settable(rv)
		if fields[i].Name == "q" {
			if err == nil {
				t.Error("a struct that is not exported was made")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		fv.SetInt(5)
	}
	if v.Pointed == nil || v.P != 5 || v.Pointed.Shared != 5 {
		t.Errorf("%+v", v.Pointed)
	}
	if fv, ok := fields[0].Get(rv); !ok || fv.Int() != 5 {
		t.Error("the field that was set is", fv)
	}
}

func TestIsZero(t *testing.T) {
	var nilTime *time.Time
	zero := time.Time{}.In(time.FixedZone("", 60))
	for _, row := range []struct {
		v    any
		want bool
	}{
		{0, true}, {1, false}, {"", true}, {zero, true}, {&zero, true}, {nilTime, true}, {time.Now(), false}, {[]int{}, false}, {[]int(nil), true},
	} {
		if got := IsZero(reflect.ValueOf(row.v)); got != row.want {
			t.Errorf("%v: %v", row.v, got)
		}
	}
}
