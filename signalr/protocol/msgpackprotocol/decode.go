package msgpackprotocol

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/tinylib/msgp/msgp"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/dotnet"
)

// DecodeArguments implements [protocol.HubProtocol]. Nothing that it decodes shares memory with args.
func (p *Protocol) DecodeArguments(args protocol.RawValue, dst ...any) error {
	d := decoder{reader: reader{b: args}, p: p}
	count, err := d.array()
	if err != nil {
		return protocol.InvalidData("Reading array length for 'arguments' failed.")
	}
	if count != len(dst) {
		return &protocol.ArgumentCountError{Got: count, Want: len(dst)}
	}
	for i := range dst {
		if err := d.value(dst[i]); err != nil {
			return &protocol.ArgumentError{Index: i, Err: err}
		}
	}
	return nil
}

// Decode implements [protocol.HubProtocol]. The text of its errors is the reference's.
func (p *Protocol) Decode(v protocol.RawValue, dst any) error {
	d := decoder{reader: reader{b: v}, p: p}
	if err := d.value(dst); err != nil {
		return err
	}
	if d.pos != len(v) {
		return errRaw
	}
	return nil
}

// Errors of values for which .NET has its own words, which nobody sees.
var (
	errPointer   = errors.New("values can only be decoded into what a pointer points to")
	errLength    = errors.New("an array of another length")
	errKey       = errors.New("a map with a key that cannot be one")
	errDuplicate = errors.New("a map with the same key twice")
	errInterface = errors.New("an interface with methods")
	errTimestamp = errors.New("an extension that is no timestamp")
	errRest      = errors.New("bytes left behind a value by its UnmarshalMsg")
)

// valueError is the error of a value that does not fit its type.
type valueError struct {
	typeName string
	err      error
}

func (e *valueError) Error() string {
	return "Deserializing object of the `" + e.typeName + "` type for 'argument' failed."
}

// ErrorName returns "InvalidDataException".
func (*valueError) ErrorName() string { return "InvalidDataException" }

// Unwrap returns what was wrong.
func (e *valueError) Unwrap() error { return e.err }

// decoder decodes values one after the other.
type decoder struct {
	reader
	p     *Protocol
	depth int // how many arrays and maps are open
}

// value decodes the next value into what dst points to.
func (d *decoder) value(dst any) error {
	if err := d.into(dst); err != nil {
		return &valueError{typeName: dotnet.TypeName(reflect.TypeOf(dst)), err: err}
	}
	return nil
}

// into is value without its error. The types that most parameters have come first.
func (d *decoder) into(dst any) (err error) {
	switch dst := dst.(type) {
	case *string:
		*dst, err = d.string()
	case *bool:
		*dst, err = d.bool()
	case *int:
		var n int64
		n, err = d.int(strconv.IntSize)
		*dst = int(n)
	case *int32:
		var n int64
		n, err = d.int(32)
		*dst = int32(n)
	case *int64:
		*dst, err = d.int(64)
	case *float64:
		*dst, err = d.float()
	case *protocol.RawValue:
		var raw []byte
		raw, err = d.raw()
		*dst = bytes.Clone(raw)
	case *any:
		*dst, err = d.any()
	default:
		v := reflect.ValueOf(dst)
		if v.Kind() != reflect.Pointer || v.IsNil() {
			return errPointer
		}
		err = d.decode(v.Elem(), d.p.typeOf(v.Type().Elem()))
	}
	return err
}

// enter opens an array or map, which leave closes.
func (d *decoder) enter() error {
	if d.depth == d.p.maxDepth {
		return errDepth
	}
	d.depth++
	return nil
}

func (d *decoder) leave() { d.depth-- }

// decode decodes the next value into v, which can be set and whose type is info's. Whatever v held is replaced.
func (d *decoder) decode(v reflect.Value, info *typeInfo) error {
	switch info.read {
	case classBool:
		b, err := d.bool()
		v.SetBool(b)
		return err
	case classInt:
		n, err := d.int(info.t.Bits())
		v.SetInt(n)
		return err
	case classUint:
		n, err := d.unsigned(info.t.Bits())
		v.SetUint(n)
		return err
	case classFloat:
		f, err := d.float()
		v.SetFloat(f)
		return err
	case classString:
		s, err := d.string()
		v.SetString(s)
		return err
	case classTime:
		t, err := d.time()
		*v.Addr().Interface().(*time.Time) = t
		return err
	case classDuration:
		ticks, err := d.int(64)
		if ticks > math.MaxInt64/int64(dotnet.Tick) || ticks < math.MinInt64/int64(dotnet.Tick) {
			return errOverflow
		}
		v.SetInt(ticks * int64(dotnet.Tick))
		return err
	case classRaw:
		raw, err := d.raw()
		v.SetBytes(bytes.Clone(raw))
		return err
	case classMsgp:
		return d.msgp(v.Addr().Interface().(msgp.Unmarshaler))
	case classByteArray:
		b, err := d.binary()
		if err == nil && len(b) != v.Len() {
			err = errLength
		}
		reflect.Copy(v, reflect.ValueOf(b))
		return err
	case classStruct:
		return d.structure(v, d.p.resolve(info))
	case classArray:
		return d.fixedArray(v, d.p.resolve(info))
	case classUnknown:
		return fmt.Errorf("values of type %s cannot be read", info.t)
	}
	return d.decodeNullable(v, info)
}

// decodeNullable decodes the next value into v of a type that has nil.
func (d *decoder) decodeNullable(v reflect.Value, info *typeInfo) error {
	if info.read == classText {
		return d.text(v)
	}
	if d.skipNil() {
		v.SetZero()
		return nil
	}
	switch info.read {
	case classBytes:
		b, err := d.binary()
		v.SetBytes(b)
		return err
	case classSlice:
		return d.slice(v, d.p.resolve(info))
	case classMap:
		return d.mapInto(v, d.p.resolve(info))
	case classPointer:
		elem := d.p.resolve(info).elem
		target := reflect.New(elem.t)
		if err := d.decode(target.Elem(), elem); err != nil {
			return err
		}
		v.Set(target)
		return nil
	default:
		if v.NumMethod() > 0 {
			return errInterface
		}
		x, err := d.any()
		if err == nil {
			v.Set(reflect.ValueOf(x))
		}
		return err
	}
}

// text decodes a string into v by its UnmarshalText.
func (d *decoder) text(v reflect.Value) error {
	if isNilable := v.Kind() == reflect.Map || v.Kind() == reflect.Slice; isNilable && d.skipNil() {
		v.SetZero()
		return nil
	}
	b, err := d.reader.text()
	if err != nil {
		return err
	}
	return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(dotnet.ValidString(b)))
}

// msgp hands the next value to u, once it is known to be one and not too deep for a decoder that recurses.
func (d *decoder) msgp(u msgp.Unmarshaler) error {
	raw, err := d.raw()
	if err != nil {
		return err
	}
	if err := checkDepth(raw, d.p.maxDepth-d.depth); err != nil {
		return err
	}
	rest, err := u.UnmarshalMsg(raw)
	if err == nil && len(rest) > 0 {
		err = errRest
	}
	return err
}

// binary reads bytes: binary, a string of up to 31 bytes, or an array of numbers, as the reference takes them.
func (d *decoder) binary() ([]byte, error) {
	c, err := d.next()
	if err != nil {
		return nil, err
	}
	switch {
	case c >= codeBin8 && c <= codeBin32:
		d.pos++
		b, err := d.sized(1 << (c - codeBin8))
		return append([]byte{}, b...), err
	case isFixStr(c):
		b, err := d.reader.text()
		return append([]byte{}, b...), err
	}
	count, err := d.array()
	if err != nil {
		return nil, err
	}
	b := make([]byte, count)
	for i := range b {
		n, err := d.unsigned(8)
		if err != nil {
			return nil, err
		}
		b[i] = byte(n)
	}
	return b, nil
}

// time reads a timestamp extension, cut to 100 ns. Nanoseconds of a second and more are carried over.
func (r *reader) time() (t time.Time, err error) {
	kind, b, err := r.extension()
	if err != nil {
		return t, err
	}
	if kind != extTimestamp {
		return t, errTimestamp
	}
	var seconds int64
	var nanos uint32
	switch len(b) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case 8:
		v := binary.BigEndian.Uint64(b)
		seconds, nanos = int64(v&(1<<34-1)), uint32(v>>34)
	case 12:
		nanos, seconds = binary.BigEndian.Uint32(b), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return t, errTimestamp
	}
	nanos -= nanos % uint32(dotnet.Tick)
	if seconds < -1<<40 || seconds > 1<<40 { // far outside, and the sum with nanos could wrap around
		return t, errTime
	}
	if t = time.Unix(seconds, int64(nanos)).UTC(); !dotnet.IsDateTime(t) {
		return time.Time{}, errTime
	}
	return t, nil
}
