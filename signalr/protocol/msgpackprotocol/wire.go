package msgpackprotocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The codes of MessagePack that are no ranges.
const (
	codeNil      = 0xC0
	codeNever    = 0xC1
	codeFalse    = 0xC2
	codeTrue     = 0xC3
	codeBin8     = 0xC4
	codeBin16    = 0xC5
	codeBin32    = 0xC6
	codeExt8     = 0xC7
	codeExt16    = 0xC8
	codeExt32    = 0xC9
	codeFloat32  = 0xCA
	codeFloat64  = 0xCB
	codeUint8    = 0xCC
	codeUint16   = 0xCD
	codeUint32   = 0xCE
	codeUint64   = 0xCF
	codeInt8     = 0xD0
	codeInt16    = 0xD1
	codeInt32    = 0xD2
	codeInt64    = 0xD3
	codeFixExt1  = 0xD4
	codeFixExt16 = 0xD8
	codeStr8     = 0xD9
	codeStr16    = 0xDA
	codeStr32    = 0xDB
	codeArray16  = 0xDC
	codeArray32  = 0xDD
	codeMap16    = 0xDE
	codeMap32    = 0xDF
)

func isFixMap(c byte) bool   { return c>>4 == 0x8 }
func isFixArray(c byte) bool { return c>>4 == 0x9 }
func isFixStr(c byte) bool   { return c>>5 == 0x5 }
func isFixInt(c byte) bool   { return c < 0x80 || c >= 0xE0 }

// Errors of values, in the words of .NET.
var (
	errEnd      = errors.New("Attempted to read past the end of the stream.")
	errOverflow = errors.New("Arithmetic operation resulted in an overflow.")
)

// codeError is the error of a value of another kind than wanted: the code with which it begins.
type codeError byte

func (e codeError) Error() string {
	return fmt.Sprintf("Unexpected msgpack code %d (%s) encountered.", byte(e), codeName(byte(e)))
}

var codeNames = [...]string{
	"nil", "(never used)", "false", "true", "bin 8", "bin 16", "bin 32", "ext 8", "ext 16", "ext 32", "float 32", "float 64",
	"uint 8", "uint 16", "uint 32", "uint 64", "int 8", "int 16", "int 32", "int 64",
	"fixext 1", "fixext 2", "fixext 4", "fixext 8", "fixext 16", "str 8", "str 16", "str 32", "array 16", "array 32", "map 16", "map 32",
}

func codeName(c byte) string {
	switch {
	case c < 0x80:
		return "positive fixint"
	case c >= 0xE0:
		return "negative fixint"
	case isFixMap(c):
		return "fixmap"
	case isFixArray(c):
		return "fixarray"
	case isFixStr(c):
		return "fixstr"
	default:
		return codeNames[c-codeNil]
	}
}

// reader reads b from pos on. After an error its position is of no use.
type reader struct {
	b   []byte
	pos int
}

// next returns the code at the reader's position, which stays.
func (r *reader) next() (byte, error) {
	if r.pos >= len(r.b) {
		return 0, errEnd
	}
	return r.b[r.pos], nil
}

// bytes returns the next n bytes and steps over them.
func (r *reader) bytes(n int) ([]byte, error) {
	if n < 0 || n > len(r.b)-r.pos {
		return nil, errEnd
	}
	r.pos += n
	return r.b[r.pos-n : r.pos : r.pos], nil
}

// uint reads n bytes as one number.
func (r *reader) uint(n int) (v uint64, err error) {
	b, err := r.bytes(n)
	if err != nil {
		return 0, err
	}
	switch n {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(b)), nil
	default:
		return binary.BigEndian.Uint64(b), nil
	}
}

// integer reads an integer of any width. negative says that v is that of an int64 below zero.
func (r *reader) integer() (v uint64, negative bool, err error) {
	c, err := r.next()
	if err != nil {
		return 0, false, err
	}
	if !isFixInt(c) && (c < codeUint8 || c > codeInt64) {
		return 0, false, codeError(c)
	}
	r.pos++
	switch {
	case c < 0x80:
		return uint64(c), false, nil
	case c >= 0xE0:
		return uint64(int8(c)), true, nil
	case c <= codeUint64:
		v, err = r.uint(1 << (c - codeUint8))
		return v, false, err
	}
	size := 1 << (c - codeInt8)
	v, err = r.uint(size)
	shift := 64 - 8*size
	signed := int64(v<<shift) >> shift
	return uint64(signed), signed < 0, err
}

// int reads an integer that fits an int of the given size.
func (r *reader) int(bits int) (int64, error) {
	v, negative, err := r.integer()
	if err != nil {
		return 0, err
	}
	n := int64(v)
	if shift := 64 - bits; negative != (n < 0) || n<<shift>>shift != n {
		return 0, errOverflow
	}
	return n, nil
}

// unsigned reads an integer that fits a uint of the given size.
func (r *reader) unsigned(bits int) (uint64, error) {
	v, negative, err := r.integer()
	if err != nil {
		return 0, err
	}
	if negative || bits < 64 && v>>bits != 0 {
		return 0, errOverflow
	}
	return v, nil
}

// float reads any number.
func (r *reader) float() (float64, error) {
	c, err := r.next()
	if err != nil {
		return 0, err
	}
	switch c {
	case codeFloat32:
		r.pos++
		v, err := r.uint(4)
		return float64(math.Float32frombits(uint32(v))), err
	case codeFloat64:
		r.pos++
		v, err := r.uint(8)
		return math.Float64frombits(v), err
	}
	v, negative, err := r.integer()
	if negative {
		return float64(int64(v)), err
	}
	return float64(v), err
}

func (r *reader) bool() (bool, error) {
	c, err := r.next()
	if err != nil {
		return false, err
	}
	if c != codeFalse && c != codeTrue {
		return false, codeError(c)
	}
	r.pos++
	return c == codeTrue, nil
}

// skipNil steps over nil, if that is next.
func (r *reader) skipNil() bool {
	if r.pos < len(r.b) && r.b[r.pos] == codeNil {
		r.pos++
		return true
	}
	return false
}

// text reads a string of any form. It is not copied, and may be no UTF-8.
func (r *reader) text() ([]byte, error) {
	c, err := r.next()
	if err != nil {
		return nil, err
	}
	if isFixStr(c) {
		r.pos++
		return r.bytes(int(c & 0x1F))
	}
	if c < codeStr8 || c > codeStr32 {
		return nil, codeError(c)
	}
	r.pos++
	return r.sized(1 << (c - codeStr8))
}

// sized reads bytes whose number stands in front of them, in n bytes.
func (r *reader) sized(n int) ([]byte, error) {
	size, err := r.uint(n)
	if err != nil {
		return nil, err
	}
	if size > uint64(len(r.b)) {
		return nil, errEnd
	}
	return r.bytes(int(size))
}

// array reads the head of an array. A count that cannot be true, because every element has a byte at least, is refused.
func (r *reader) array() (count int, err error) {
	c, err := r.next()
	if err != nil {
		return 0, err
	}
	switch {
	case isFixArray(c):
		r.pos++
		return r.count(uint64(c&0xF), 1)
	case c == codeArray16, c == codeArray32:
		r.pos++
		n, err := r.uint(2 << (c - codeArray16))
		if err != nil {
			return 0, err
		}
		return r.count(n, 1)
	default:
		return 0, codeError(c)
	}
}

// mapping reads the head of a map, as array does.
func (r *reader) mapping() (count int, err error) {
	c, err := r.next()
	if err != nil {
		return 0, err
	}
	switch {
	case isFixMap(c):
		r.pos++
		return r.count(uint64(c&0xF), 2)
	case c == codeMap16, c == codeMap32:
		r.pos++
		n, err := r.uint(2 << (c - codeMap16))
		if err != nil {
			return 0, err
		}
		return r.count(n, 2)
	default:
		return 0, codeError(c)
	}
}

// count returns n, unless the rest of the bytes cannot hold n elements of size bytes.
func (r *reader) count(n uint64, size int) (int, error) {
	if n*uint64(size) > uint64(len(r.b)-r.pos) {
		return 0, errEnd
	}
	return int(n), nil
}

// extension reads an extension and returns its type and its bytes.
func (r *reader) extension() (kind int8, data []byte, err error) {
	c, err := r.next()
	if err != nil {
		return 0, nil, err
	}
	size := uint64(0)
	switch {
	case c >= codeFixExt1 && c <= codeFixExt16:
		r.pos++
		size = 1 << (c - codeFixExt1)
	case c >= codeExt8 && c <= codeExt32:
		r.pos++
		if size, err = r.uint(1 << (c - codeExt8)); err != nil {
			return 0, nil, err
		}
	default:
		return 0, nil, codeError(c)
	}
	k, err := r.uint(1)
	if err != nil || size > uint64(len(r.b)) {
		return 0, nil, errEnd
	}
	data, err = r.bytes(int(size))
	return int8(k), data, err
}
