package msgpackprotocol

import (
	"reflect"

	"signalbox/signalr/protocol/internal/dotnet"
)

// modest is how many bytes are allocated on the word of a count alone.
const modest = 64 << 10

// slice decodes an array into v, which grows with what really comes.
func (d *decoder) slice(v reflect.Value, info *typeInfo) error {
	count, err := d.array()
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	size := max(1, int(info.elem.t.Size()))
	out := reflect.MakeSlice(info.t, 0, min(count, max(1, modest/size)))
	v.Set(out)
	for i := range count {
		if i == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(i + 1)
		if err := d.decode(v.Index(i), info.elem); err != nil {
			return err
		}
	}
	return nil
}

// fixedArray decodes an array into v, which has a length of its own.
func (d *decoder) fixedArray(v reflect.Value, info *typeInfo) error {
	count, err := d.array()
	if err != nil {
		return err
	}
	if count != v.Len() {
		return errLength
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	for i := range count {
		if err := d.decode(v.Index(i), info.elem); err != nil {
			return err
		}
	}
	return nil
}

// mapInto decodes a map into v.
func (d *decoder) mapInto(v reflect.Value, info *typeInfo) error {
	count, err := d.mapping()
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	out := reflect.MakeMap(info.t)
	for range count {
		if c, err := d.next(); err == nil && c == codeNil {
			return errKey
		}
		key := reflect.New(info.key.t).Elem()
		if err := d.decode(key, info.key); err != nil {
			return err
		}
		if !key.Comparable() {
			return errKey
		}
		if out.MapIndex(key).IsValid() {
			return errDuplicate
		}
		value := reflect.New(info.elem.t).Elem()
		if err := d.decode(value, info.elem); err != nil {
			return err
		}
		out.SetMapIndex(key, value)
	}
	v.Set(out)
	return nil
}

// structure decodes a map into the fields of v. Unknown members are skipped, however deep they are.
func (d *decoder) structure(v reflect.Value, info *typeInfo) error {
	if info.err != nil {
		return info.err
	}
	count, err := d.mapping()
	if err != nil {
		return err
	}
	if err := d.enter(); err != nil {
		return err
	}
	defer d.leave()
	v.SetZero()
	for range count {
		name, err := d.reader.text()
		if err != nil {
			return err
		}
		f, ok := info.byName[string(name)]
		if !ok {
			if err := d.skip(1); err != nil {
				return err
			}
			continue
		}
		fv, err := f.Settable(v)
		if err != nil {
			return err
		}
		if err := d.decode(fv, f.info); err != nil {
			return err
		}
	}
	return nil
}

// any reads the next value as whatever it is.
func (d *decoder) any() (any, error) {
	c, err := d.next()
	if err != nil {
		return nil, err
	}
	switch {
	case isFixStr(c), c >= codeStr8 && c <= codeStr32:
		b, err := d.reader.text()
		return dotnet.ValidString(b), err
	case isFixArray(c), c == codeArray16, c == codeArray32:
		return d.anyArray()
	case isFixMap(c), c == codeMap16, c == codeMap32:
		return d.anyMap()
	case c >= codeBin8 && c <= codeBin32:
		return d.binary()
	}
	switch c {
	case codeNil:
		d.pos++
		return nil, nil
	case codeFalse, codeTrue:
		return d.bool()
	case codeFloat32:
		f, err := d.float()
		return float32(f), err
	case codeFloat64:
		return d.float()
	case codeNever:
		return nil, codeError(c)
	}
	if isFixInt(c) || c >= codeUint8 && c <= codeInt64 {
		return d.anyInteger(c)
	}
	return d.time()
}

// anyInteger reads an integer with the code c and keeps the width in which it came.
func (d *decoder) anyInteger(c byte) (any, error) {
	v, _, err := d.integer()
	switch {
	case err != nil:
		return nil, err
	case c < 0x80, c == codeUint8:
		return uint8(v), nil
	case c >= 0xE0, c == codeInt8:
		return int8(v), nil
	case c == codeUint16:
		return uint16(v), nil
	case c == codeUint32:
		return uint32(v), nil
	case c == codeUint64:
		return v, nil
	case c == codeInt16:
		return int16(v), nil
	case c == codeInt32:
		return int32(v), nil
	default:
		return int64(v), nil
	}
}

func (d *decoder) anyArray() (any, error) {
	var out []any
	err := d.slice(reflect.ValueOf(&out).Elem(), d.p.resolve(d.p.typeOf(reflect.TypeFor[[]any]())))
	return out, err
}

// anyMap reads a map as map[string]any, or as map[any]any when a key is no string.
func (d *decoder) anyMap() (any, error) {
	var out map[any]any
	err := d.mapInto(reflect.ValueOf(&out).Elem(), d.p.resolve(d.p.typeOf(reflect.TypeFor[map[any]any]())))
	if err != nil {
		return nil, err
	}
	named := make(map[string]any, len(out))
	for key, value := range out {
		name, ok := key.(string)
		if !ok {
			return out, nil
		}
		named[name] = value
	}
	return named, nil
}
