package msgpackprotocol

import (
	"encoding"
	"reflect"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/structfields"
)

// class is a way to write or read values.
type class uint8

const (
	classUnknown class = iota // channels, functions and the like: no way
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
	classMsgp // the type has methods of tinylib/msgp
	classText // the type has MarshalText or UnmarshalText
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
)

// typeInfo is how values of a type are written and read. What it says of other types is found out when it is first
// needed, so that types may refer to themselves.
type typeInfo struct {
	t           reflect.Type
	write, read class

	once   sync.Once
	elem   *typeInfo // of pointers, slices, arrays and maps
	key    *typeInfo // of maps
	fields []field   // of structs
	byName map[string]*field
	err    error // why a struct cannot travel
}

type field struct {
	structfields.Field
	info *typeInfo
}

// typeOf returns the typeInfo of t.
func (p *Protocol) typeOf(t reflect.Type) *typeInfo {
	if known, ok := p.types.Load(t); ok {
		return known.(*typeInfo)
	}
	known, _ := p.types.LoadOrStore(t, newTypeInfo(t))
	return known.(*typeInfo)
}

func newTypeInfo(t reflect.Type) *typeInfo {
	info := &typeInfo{t: t}
	switch t {
	case timeType:
		info.write, info.read = classTime, classTime
		return info
	case durationType:
		info.write, info.read = classDuration, classDuration
		return info
	case rawType:
		info.write, info.read = classRaw, classRaw
		return info
	}
	info.write = classOfKind(t)
	info.read = info.write
	if k := t.Kind(); k == reflect.Interface || k == reflect.Pointer {
		return info
	}
	pointer := reflect.PointerTo(t)
	switch {
	case pointer.Implements(reflect.TypeFor[msgp.Marshaler]()):
		info.write = classMsgp
	case pointer.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		info.write = classText
	}
	switch {
	case pointer.Implements(reflect.TypeFor[msgp.Unmarshaler]()):
		info.read = classMsgp
	case pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		info.read = classText
	}
	return info
}

func classOfKind(t reflect.Type) class {
	switch t.Kind() {
	case reflect.Bool:
		return classBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return classInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return classUint
	case reflect.Float32, reflect.Float64:
		return classFloat
	case reflect.String:
		return classString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return classBytes
		}
		return classSlice
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return classByteArray
		}
		return classArray
	case reflect.Map:
		return classMap
	case reflect.Struct:
		return classStruct
	case reflect.Pointer:
		return classPointer
	case reflect.Interface:
		return classInterface
	default:
		return classUnknown
	}
}

// resolve finds out what info says of other types.
func (p *Protocol) resolve(info *typeInfo) *typeInfo {
	info.once.Do(func() {
		switch info.t.Kind() {
		case reflect.Map:
			info.key = p.typeOf(info.t.Key())
			info.elem = p.typeOf(info.t.Elem())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			info.elem = p.typeOf(info.t.Elem())
		case reflect.Struct:
			p.resolveStruct(info)
		}
	})
	return info
}

func (p *Protocol) resolveStruct(info *typeInfo) {
	var members []structfields.Field
	members, info.err = structfields.Of(info.t, "msgpack", func(name string) string { return name })
	info.fields = make([]field, len(members))
	info.byName = make(map[string]*field, len(members))
	for i, m := range members {
		info.fields[i] = field{m, p.typeOf(m.Type)}
		info.byName[m.Name] = &info.fields[i]
	}
}
