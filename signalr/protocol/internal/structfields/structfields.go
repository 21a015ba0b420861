// Package structfields finds out which members a Go struct has on the wire.
//
// The rules are those of encoding/json/v2, so that what one library reads and another writes is the same object:
// embedded structs without a name in their tag count as if their fields stood in the outer struct, and of several
// fields with one name the shallowest wins, then the one named by a tag; without a winner there is no such member.
package structfields

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Field is one member.
type Field struct {
	Name string
	// Type is the field's type, Index its path as in [reflect.Value.FieldByIndex].
	Type  reflect.Type
	Index []int
	// OmitZero, OmitEmpty and String are the options of the tag with these names.
	OmitZero, OmitEmpty, String bool

	tagged bool
}

// Of returns the members of the struct type t, in the order of their fields. tagKey is the key of the tags that rename
// fields and set options; name gives the name of a field whose tag does not. A struct that has fields but none to
// show is an error, because it is always a mistake.
func Of(t reflect.Type, tagKey string, name func(string) string) ([]Field, error) {
	type level struct {
		t     reflect.Type
		index []int
		again bool // t was seen before: its fields count as ambiguous, but are not searched again
	}
	var all []Field
	shown := false
	seen := map[reflect.Type]bool{t: true}
	queue := []level{{t: t}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		names := map[string]string{}
		for i := range at.t.NumField() {
			sf := at.t.Field(i)
			tag, hasTag := sf.Tag.Lookup(tagKey)
			shown = shown || hasTag
			if tag == "-" || !sf.IsExported() && !sf.Anonymous {
				continue
			}
			shown = true
			f := Field{Type: sf.Type, Index: append(slices.Clone(at.index), i)}
			var embed bool
			f.Name, embed = f.parseTag(tag)
			if f.tagged = f.Name != ""; !f.tagged {
				f.Name = name(sf.Name)
			}
			inner := sf.Type
			if inner.Kind() == reflect.Pointer && inner.Name() == "" {
				inner = inner.Elem()
			}
			if embed = embed || sf.Anonymous && !f.tagged; embed {
				if inner.Kind() != reflect.Struct {
					return nil, fmt.Errorf("embedded field %s of %s is no struct and has no name in its %s tag", sf.Name, at.t, tagKey)
				}
				if !at.again {
					queue = append(queue, level{t: inner, index: f.Index, again: seen[inner]})
					seen[inner] = true
				}
				continue
			}
			if !sf.IsExported() {
				continue
			}
			if other, ok := names[f.Name]; ok {
				return nil, fmt.Errorf("fields %s and %s of %s are both named %q", other, sf.Name, at.t, f.Name)
			}
			names[f.Name] = sf.Name
			all = append(all, f)
		}
	}
	if !shown && t.NumField() > 0 {
		return nil, errors.New(t.String() + " has no exported fields")
	}
	return dominant(all), nil
}

// parseTag sets the options that tag names and returns the member's name, if tag has one, and whether the field is to
// be treated as embedded.
func (f *Field) parseTag(tag string) (name string, embed bool) {
	name, options, _ := strings.Cut(tag, ",")
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitzero":
			f.OmitZero = true
		case "omitempty":
			f.OmitEmpty = true
		case "string":
			f.String = true
		case "embed":
			embed = true
		}
	}
	return name, embed
}

// dominant returns the winner of every name, in the order of the fields.
func dominant(all []Field) []Field {
	slices.SortStableFunc(all, func(a, b Field) int {
		tagged := 0
		if a.tagged != b.tagged {
			tagged = 1
			if a.tagged {
				tagged = -1
			}
		}
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(len(a.Index), len(b.Index)), tagged)
	})
	var fields []Field
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Name == all[0].Name {
			n++
		}
		if n == 1 || len(all[0].Index) != len(all[1].Index) || all[0].tagged != all[1].tagged {
			fields = append(fields, all[0])
		}
		all = all[n:]
	}
	slices.SortFunc(fields, func(a, b Field) int { return slices.Compare(a.Index, b.Index) })
	return fields
}

// Get returns the field in the struct v, or false when it lies in an embedded struct whose pointer is nil.
func (f *Field) Get(v reflect.Value) (reflect.Value, bool) {
	for i, x := range f.Index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return reflect.Value{}, false
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, true
}

// Settable returns the field in the struct v, making the embedded structs on the way whose pointers are nil. It fails
// when such a pointer is not exported.
func (f *Field) Settable(v reflect.Value) (reflect.Value, error) {
	for i, x := range f.Index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return reflect.Value{}, fmt.Errorf("cannot make the embedded %s that is not exported", v.Type().Elem())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, nil
}

// IsZero says whether v is left out under the option omitzero: its method IsZero says so, or there is none and v is
// the zero value.
func IsZero(v reflect.Value) bool {
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return true
		}
	}
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
		return z.IsZero()
	}
	if v.CanAddr() {
		if z, ok := v.Addr().Interface().(interface{ IsZero() bool }); ok {
			return z.IsZero()
		}
	}
	return v.IsZero()
}
