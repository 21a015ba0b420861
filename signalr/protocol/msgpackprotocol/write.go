package msgpackprotocol

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"signalbox/signalr/protocol/internal/dotnet"
)

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// appendInt appends v in its smallest form, which is an unsigned one for all that is not negative (F-075).
func appendInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, codeInt8, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, codeInt16), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, codeInt32), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(dst, codeInt64), uint64(v))
	}
}

// appendUint appends v in its smallest form.
func appendUint(dst []byte, v uint64) []byte {
	switch {
	case v < 0x80:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, codeUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, codeUint16), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, codeUint32), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(dst, codeUint64), v)
	}
}

// appendWide appends v, the bits of an integer of size bytes, in full width. code is that of the one-byte form.
func appendWide(dst []byte, code byte, v uint64, size int) []byte {
	switch size {
	case 1:
		return append(dst, code, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(append(dst, code+1), uint16(v))
	case 4:
		return binary.BigEndian.AppendUint32(append(dst, code+2), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(dst, code+3), v)
	}
}

// .NET's NaN, which has the sign that Go's has not.
const (
	nan32 = 0xFFC00000
	nan64 = 0xFFF8000000000000
)

func appendFloat32(dst []byte, v float32) []byte {
	bits := math.Float32bits(v)
	if v != v {
		bits = nan32
	}
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), bits)
}

func appendFloat64(dst []byte, v float64) []byte {
	bits := math.Float64bits(v)
	if v != v {
		bits = nan64
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), bits)
}

// appendString appends s with U+FFFD for what is not UTF-8.
func appendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = dotnet.ValidString([]byte(s))
	}
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xA0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, codeStr8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, codeStr16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, codeStr32), uint32(n))
	}
	return append(dst, s...)
}

func appendBinary(dst, b []byte) []byte {
	switch n := len(b); {
	case n <= math.MaxUint8:
		dst = append(dst, codeBin8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, codeBin16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, codeBin32), uint32(n))
	}
	return append(dst, b...)
}

// appendArray appends the head of an array of n elements.
func appendArray(dst []byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, codeArray16), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, codeArray32), uint32(n))
	}
}

// appendMap appends the head of a map of n members.
func appendMap(dst []byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, 0x80|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, codeMap16), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(dst, codeMap32), uint32(n))
	}
}

// extTimestamp is the type of the extension that holds a time.
const extTimestamp = -1

// appendTime appends t as a timestamp extension: seconds in 4 bytes, else seconds and nanoseconds in 8, else in 12.
func appendTime(dst []byte, t time.Time) ([]byte, error) {
	if !dotnet.IsDateTime(t) {
		return dst, errTime
	}
	seconds, nanos := t.Unix(), t.Nanosecond()
	nanos -= nanos % int(dotnet.Tick)
	extType := int8(extTimestamp)
	switch {
	case nanos == 0 && seconds>>32 == 0:
		dst = append(dst, codeFixExt1+2, byte(extType))
		return binary.BigEndian.AppendUint32(dst, uint32(seconds)), nil
	case seconds>>34 == 0:
		dst = append(dst, codeFixExt1+3, byte(extType))
		return binary.BigEndian.AppendUint64(dst, uint64(nanos)<<34|uint64(seconds)), nil
	default:
		dst = append(dst, codeExt8, 12, byte(extType))
		dst = binary.BigEndian.AppendUint32(dst, uint32(nanos))
		return binary.BigEndian.AppendUint64(dst, uint64(seconds)), nil
	}
}
