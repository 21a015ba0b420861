package msgpackprotocol

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/dotnet"
	"signalbox/signalr/protocol/internal/structfields"
)

var (
	// errDepth is also what a value that contains itself comes to.
	errDepth = errors.New("arrays and maps are nested too deep, or contain themselves")
	errRaw   = errors.New("the raw value is not one MessagePack value")
	errTime  = errors.New("a time outside the years 1 to 9999")
)

// maxHops is how many pointers and interfaces in a row are followed before they are taken for a circle.
const maxHops = 64

// appendValue appends v, which is an argument, an item or a result. The types that most values have come first.
func (p *Protocol) appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, codeNil), nil
	case string:
		return appendString(dst, v), nil
	case bool:
		return appendBool(dst, v), nil
	case int:
		return appendInt(dst, int64(v)), nil
	case int32:
		return appendInt(dst, int64(v)), nil
	case int64:
		return appendInt(dst, v), nil
	case float64:
		return appendFloat64(dst, v), nil
	case protocol.RawValue:
		return appendRaw(dst, v)
	case time.Time:
		return appendTime(dst, v)
	}
	rv := reflect.ValueOf(v)
	w := writer{p: p}
	return w.append(dst, rv, p.typeOf(rv.Type()), false)
}

// writer writes one value.
type writer struct {
	p     *Protocol
	depth int // how many arrays and maps are open
}

// append appends v, whose type is info's. wide says that v stands in a place of type any, where integers have the
// full width of their type.
func (w *writer) append(dst []byte, v reflect.Value, info *typeInfo, wide bool) ([]byte, error) {
	for hops := 0; info.write == classPointer || info.write == classInterface; hops++ {
		if v.IsNil() {
			return append(dst, codeNil), nil
		}
		if hops == maxHops {
			return dst, errDepth
		}
		v = v.Elem()
		if info.write == classPointer {
			info = w.p.resolve(info).elem
		} else {
			info, wide = w.p.typeOf(v.Type()), true
		}
	}
	switch info.write {
	case classBool:
		return appendBool(dst, v.Bool()), nil
	case classInt:
		if k := v.Kind(); wide && k != reflect.Int {
			return appendWide(dst, codeInt8, uint64(v.Int()), int(info.t.Size())), nil
		}
		return appendInt(dst, v.Int()), nil
	case classUint:
		if k := v.Kind(); wide && k != reflect.Uint && k != reflect.Uintptr {
			return appendWide(dst, codeUint8, v.Uint(), int(info.t.Size())), nil
		}
		return appendUint(dst, v.Uint()), nil
	case classFloat:
		if v.Kind() == reflect.Float32 {
			return appendFloat32(dst, float32(v.Float())), nil
		}
		return appendFloat64(dst, v.Float()), nil
	case classString:
		return appendString(dst, v.String()), nil
	case classBytes:
		if v.IsNil() {
			return append(dst, codeNil), nil
		}
		return appendBinary(dst, v.Bytes()), nil
	case classByteArray:
		return appendBinary(dst, addressable(v).Bytes()), nil
	case classTime:
		return appendTime(dst, v.Interface().(time.Time))
	case classDuration:
		return appendInt(dst, v.Int()/int64(dotnet.Tick)), nil
	case classRaw:
		return appendRaw(dst, v.Bytes())
	case classMsgp:
		return appendMsgp(dst, addressable(v).Addr().Interface().(msgp.Marshaler))
	case classText:
		if isNil(v) {
			return append(dst, codeNil), nil
		}
		text, err := addressable(v).Addr().Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return dst, err
		}
		return appendString(dst, string(text)), nil
	case classSlice, classArray, classMap, classStruct:
		if isNil(v) {
			return append(dst, codeNil), nil
		}
		if w.depth == w.p.maxDepth {
			return dst, errDepth
		}
		w.depth++
		defer func() { w.depth-- }()
		return w.appendContainer(dst, v, w.p.resolve(info))
	default:
		return dst, fmt.Errorf("values of type %s cannot be written", v.Type())
	}
}

func (w *writer) appendContainer(dst []byte, v reflect.Value, info *typeInfo) (_ []byte, err error) {
	switch info.write {
	case classMap:
		return w.appendMap(dst, v, info)
	case classStruct:
		return w.appendStruct(dst, v, info)
	}
	dst = appendArray(dst, v.Len())
	for i := range v.Len() {
		if dst, err = w.append(dst, v.Index(i), info.elem, false); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendMap appends v with its keys in order: numbers and strings in their own, others in that of their bytes.
func (w *writer) appendMap(dst []byte, v reflect.Value, info *typeInfo) (_ []byte, err error) {
	type member struct {
		key, value reflect.Value
		written    []byte
	}
	members := make([]member, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		m := member{key: iter.Key(), value: iter.Value()}
		if m.written, err = w.append(nil, m.key, info.key, false); err != nil {
			return dst, err
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b member) int {
		switch info.key.write {
		case classString:
			return cmp.Compare(a.key.String(), b.key.String())
		case classInt:
			return cmp.Compare(a.key.Int(), b.key.Int())
		case classUint:
			return cmp.Compare(a.key.Uint(), b.key.Uint())
		default:
			return bytes.Compare(a.written, b.written)
		}
	})
	dst = appendMap(dst, len(members))
	for _, m := range members {
		if dst, err = w.append(append(dst, m.written...), m.value, info.elem, false); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (w *writer) appendStruct(dst []byte, v reflect.Value, info *typeInfo) (_ []byte, err error) {
	if info.err != nil {
		return dst, info.err
	}
	count := 0
	for i := range info.fields {
		if _, ok := info.fields[i].shown(v); ok {
			count++
		}
	}
	dst = appendMap(dst, count)
	for i := range info.fields {
		f := &info.fields[i]
		fv, ok := f.shown(v)
		if !ok {
			continue
		}
		if dst, err = w.append(appendString(dst, f.Name), fv, f.info, false); err != nil {
			return dst, fmt.Errorf("%s.%s: %w", info.t, f.Name, err)
		}
	}
	return dst, nil
}

// shown returns the field in the struct v, or false when it is not written: it lies in an embedded struct whose pointer
// is nil, or its options leave it out.
func (f *field) shown(v reflect.Value) (reflect.Value, bool) {
	fv, ok := f.Get(v)
	switch {
	case !ok,
		f.OmitZero && structfields.IsZero(fv),
		f.OmitEmpty && isEmpty(fv):
		return fv, false
	}
	return fv, true
}

// isEmpty says whether v is written as nil, or as a string, binary, array or map without anything in it.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0
	default:
		return isNil(v)
	}
}

// appendRaw appends raw, or nil when it is nil.
func appendRaw(dst, raw []byte) ([]byte, error) {
	if raw == nil {
		return append(dst, codeNil), nil
	}
	if !isOneValue(raw) {
		return dst, errRaw
	}
	return append(dst, raw...), nil
}

// appendMsgp appends what m makes of itself, which has to be one value or it would take others with it.
func appendMsgp(dst []byte, m msgp.Marshaler) ([]byte, error) {
	out, err := m.MarshalMsg(dst)
	if err != nil {
		return dst, err
	}
	if len(out) < len(dst) || !isOneValue(out[len(dst):]) {
		return dst, fmt.Errorf("%T.MarshalMsg has not appended one value", m)
	}
	return out, nil
}

func isOneValue(b []byte) bool {
	r := reader{b: b}
	return r.skip(1) == nil && r.pos == len(b)
}

// isNil says whether v is nil and of a kind that can be.
func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return v.IsNil()
	default:
		return false
	}
}

// addressable returns v, or a copy of it whose address can be taken.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}
