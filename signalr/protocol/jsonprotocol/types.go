package jsonprotocol

import (
	"encoding"
	"reflect"
	"sync"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/structfields"
)

// class is a way to write values.
type class uint8

const (
	classUnknown class = iota // channels, functions and the like: cannot be written
	classBool
	classInt
	classUint
	classFloat
	classString
	classBytes     // a slice of bytes
	classByteArray // an array of bytes
	classTime
	classDuration
	classRaw
	classJSON // has MarshalJSONTo or MarshalJSON
	classText // has AppendText or MarshalText
	classSlice
	classArray
	classMap
	classStruct
	classPointer
	classInterface
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[protocol.RawValue]()

	jsonMarshalers = []reflect.Type{reflect.TypeFor[json.MarshalerTo](), reflect.TypeFor[json.Marshaler]()}
	textMarshalers = []reflect.Type{reflect.TypeFor[encoding.TextAppender](), reflect.TypeFor[encoding.TextMarshaler]()}
)

// typeInfo is how values of a type are written. What it says of other types is found out when it is first needed, so
// that types may refer to themselves.
type typeInfo struct {
	class class
	// byPointer says that the methods of classJSON or classText are those of the pointer.
	byPointer bool

	once   sync.Once
	t      reflect.Type
	elem   *typeInfo // of pointers, slices, arrays and maps
	key    *typeInfo // of maps
	fields []field   // of structs
	err    error     // why a struct cannot be written
}

type field struct {
	structfields.Field
	quoted string // the name with quotes, escapes and colon
	info   *typeInfo
}

// typeOf returns the typeInfo of t.
func (p *Protocol) typeOf(t reflect.Type) *typeInfo {
	if known, ok := p.types.Load(t); ok {
		return known.(*typeInfo)
	}
	info := &typeInfo{t: t}
	info.class, info.byPointer = classify(t)
	known, _ := p.types.LoadOrStore(t, info)
	return known.(*typeInfo)
}

// resolve finds out what info says of other types.
func (p *Protocol) resolve(info *typeInfo) *typeInfo {
	info.once.Do(func() {
		switch info.class {
		case classMap:
			info.key = p.typeOf(info.t.Key())
			info.elem = p.typeOf(info.t.Elem())
		case classPointer, classSlice, classArray:
			info.elem = p.typeOf(info.t.Elem())
		case classStruct:
			var members []structfields.Field
			members, info.err = structfields.Of(info.t, "json", p.memberName)
			for _, f := range members {
				quoted := string(append(appendString(nil, f.Name), ':'))
				info.fields = append(info.fields, field{f, quoted, p.typeOf(f.Type)})
			}
		}
	})
	return info
}

// classify returns the class of t, and whether the methods that make it so need a pointer.
func classify(t reflect.Type) (c class, byPointer bool) {
	switch t {
	case timeType:
		return classTime, false
	case durationType:
		return classDuration, false
	case rawType:
		return classRaw, false
	}
	if k := t.Kind(); k != reflect.Interface && k != reflect.Pointer {
		for _, m := range jsonMarshalers {
			if t.Implements(m) {
				return classJSON, false
			}
			if reflect.PointerTo(t).Implements(m) {
				return classJSON, true
			}
		}
		for _, m := range textMarshalers {
			if t.Implements(m) {
				return classText, false
			}
			if reflect.PointerTo(t).Implements(m) {
				return classText, true
			}
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return classBool, false
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return classInt, false
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return classUint, false
	case reflect.Float32, reflect.Float64:
		return classFloat, false
	case reflect.String:
		return classString, false
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return classBytes, false
		}
		return classSlice, false
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return classByteArray, false
		}
		return classArray, false
	case reflect.Map:
		return classMap, false
	case reflect.Struct:
		return classStruct, false
	case reflect.Pointer:
		return classPointer, false
	case reflect.Interface:
		return classInterface, false
	default:
		return classUnknown, false
	}
}

// memberName returns the wire name of a struct field that its tag does not name.
func (p *Protocol) memberName(name string) string {
	if p.names == AsDeclared {
		return name
	}
	return camelCase(name)
}

// camelCase is System.Text.Json's JsonNamingPolicy.CamelCase: the capitals at the start become small, but for the last
// of several when a small letter follows.
func camelCase(name string) string {
	runes := []rune(name)
	for i, r := range runes {
		if !unicode.IsUpper(r) || i > 0 && i+1 < len(runes) && !unicode.IsUpper(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}
