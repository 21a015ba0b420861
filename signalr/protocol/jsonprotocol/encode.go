package jsonprotocol

import (
	"encoding"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/structfields"
)

var (
	// errDepth is also what a value that contains itself comes to.
	errDepth = fmt.Errorf("the value is nested deeper than %d, or contains itself", maxDepth)
)

// maxHops is how many pointers and interfaces in a row are followed before they are taken for a circle.
const maxHops = 64

// appendValue appends v, which stands in depth objects and arrays. The types that most values have come first.
func (p *Protocol) appendValue(dst []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return appendString(dst, v), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v, 64)
	case protocol.RawValue:
		return appendRawOrNull(dst, v, depth)
	case time.Time:
		return appendTime(dst, v)
	}
	rv := reflect.ValueOf(v)
	return p.appendReflect(dst, rv, p.typeOf(rv.Type()), depth)
}

// appendReflect appends v, whose type is info's.
func (p *Protocol) appendReflect(dst []byte, v reflect.Value, info *typeInfo, depth int) ([]byte, error) {
	for hops := 0; info.class == classPointer || info.class == classInterface; hops++ {
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		if hops == maxHops {
			return dst, errDepth
		}
		v = v.Elem()
		if info.class == classPointer {
			info = p.resolve(info).elem
		} else {
			info = p.typeOf(v.Type())
		}
	}
	switch info.class {
	case classBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case classInt:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case classUint:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case classFloat:
		return appendFloat(dst, v.Float(), v.Type().Bits())
	case classString:
		return appendString(dst, v.String()), nil
	case classBytes:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return appendBase64(dst, v.Bytes()), nil
	case classByteArray:
		return appendBase64(dst, addressable(v).Bytes()), nil
	case classTime:
		return appendTime(dst, v.Interface().(time.Time))
	case classDuration:
		return appendDuration(dst, time.Duration(v.Int())), nil
	case classRaw:
		return appendRawOrNull(dst, v.Bytes(), depth)
	case classJSON:
		return p.appendJSON(dst, v, info, depth)
	case classText:
		if isNil(v) {
			return append(dst, "null"...), nil
		}
		text, err := marshalText(v, info)
		if err != nil {
			return dst, err
		}
		return appendString(dst, text), nil
	case classSlice:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return p.appendList(dst, v, info, depth)
	case classArray:
		return p.appendList(dst, v, info, depth)
	case classMap:
		if v.IsNil() {
			return append(dst, "null"...), nil
		}
		return p.appendMap(dst, v, info, depth)
	case classStruct:
		return p.appendStruct(dst, v, info, depth)
	default:
		return dst, fmt.Errorf("values of type %s cannot be written", v.Type())
	}
}

// appendRawOrNull appends raw, or null when it is nil.
func appendRawOrNull(dst, raw []byte, depth int) ([]byte, error) {
	if raw == nil {
		return append(dst, "null"...), nil
	}
	return appendRaw(dst, raw, depth)
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendJSON appends what the methods of v make of it.
func (p *Protocol) appendJSON(dst []byte, v reflect.Value, info *typeInfo, depth int) ([]byte, error) {
	if isNil(v) {
		return append(dst, "null"...), nil
	}
	if info.byPointer {
		v = addressable(v).Addr()
	}
	raw, err := json.Marshal(v.Interface(), json.Deterministic(true))
	if err != nil {
		return dst, err
	}
	return appendRaw(dst, raw, depth)
}

// marshalText returns the text that v makes of itself.
func marshalText(v reflect.Value, info *typeInfo) (text string, err error) {
	if info.byPointer {
		v = addressable(v).Addr()
	}
	var b []byte
	switch m := v.Interface().(type) {
	case encoding.TextAppender:
		b, err = m.AppendText(nil)
	case encoding.TextMarshaler:
		b, err = m.MarshalText()
	}
	return string(b), err
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

func (p *Protocol) appendList(dst []byte, v reflect.Value, info *typeInfo, depth int) ([]byte, error) {
	if depth == maxDepth {
		return dst, errDepth
	}
	elem := p.resolve(info).elem
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = p.appendReflect(dst, v.Index(i), elem, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendMap appends v with its keys in order.
func (p *Protocol) appendMap(dst []byte, v reflect.Value, info *typeInfo, depth int) ([]byte, error) {
	if depth == maxDepth {
		return dst, errDepth
	}
	p.resolve(info)
	type member struct {
		name  string
		value reflect.Value
	}
	members := make([]member, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		name, err := keyText(iter.Key(), info.key)
		if err != nil {
			return dst, err
		}
		members = append(members, member{name, iter.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.name), ':')
		var err error
		if dst, err = p.appendReflect(dst, m.value, info.elem, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// keyText returns the name of the member that has the key v.
func keyText(v reflect.Value, info *typeInfo) (string, error) {
	switch info.class {
	case classString:
		return v.String(), nil
	case classInt:
		return strconv.FormatInt(v.Int(), 10), nil
	case classUint:
		return strconv.FormatUint(v.Uint(), 10), nil
	case classText:
		return marshalText(v, info)
	default:
		return "", fmt.Errorf("maps with keys of type %s cannot be written", v.Type())
	}
}

func (p *Protocol) appendStruct(dst []byte, v reflect.Value, info *typeInfo, depth int) ([]byte, error) {
	if p.resolve(info).err != nil {
		return dst, info.err
	}
	if depth == maxDepth {
		return dst, errDepth
	}
	dst = append(dst, '{')
	start := len(dst)
	for i := range info.fields {
		f := &info.fields[i]
		fv, ok := f.Get(v)
		if !ok || f.OmitZero && structfields.IsZero(fv) {
			continue
		}
		before := len(dst)
		if before > start {
			dst = append(dst, ',')
		}
		dst = append(dst, f.quoted...)
		value := len(dst)
		var err error
		if f.String {
			dst, err = p.appendQuoted(dst, fv, f.info)
		} else {
			dst, err = p.appendReflect(dst, fv, f.info, depth+1)
		}
		if err != nil {
			return dst, fmt.Errorf("%s.%s: %w", info.t, f.Name, err)
		}
		if f.OmitEmpty && isEmpty(dst[value:]) {
			dst = dst[:before]
		}
	}
	return append(dst, '}'), nil
}

// isEmpty says whether the option omitempty leaves out a member with this value.
func isEmpty(value []byte) bool {
	switch string(value) {
	case "null", `""`, "{}", "[]":
		return true
	default:
		return false
	}
}

// appendQuoted appends the number v, or the one it points to, as a string: the option string of a json tag.
func (p *Protocol) appendQuoted(dst []byte, v reflect.Value, info *typeInfo) ([]byte, error) {
	if info.class == classPointer && !v.IsNil() {
		return p.appendQuoted(dst, v.Elem(), p.resolve(info).elem)
	}
	switch info.class {
	case classPointer:
		return append(dst, "null"...), nil
	case classInt, classUint, classFloat:
		dst, err := p.appendReflect(append(dst, '"'), v, info, 0)
		return append(dst, '"'), err
	default:
		return dst, errors.New("the option string of the json tag is for numbers")
	}
}
