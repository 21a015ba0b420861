// Package dotnet holds the few habits of .NET's base library that both hub protocols show on the wire.
package dotnet

import "unicode/utf8"

// DecodeRune is [utf8.DecodeRune] but for the size of what is not UTF-8: it covers the longest start of a character
// that could have become one, as .NET and the WHATWG Encoding Standard replace it. F0 9F 98 gives one U+FFFD, not
// three.
func DecodeRune(b []byte) (r rune, size int) {
	r, size = utf8.DecodeRune(b)
	if r != utf8.RuneError || size != 1 {
		return r, size
	}
	need, low, high := 0, byte(0x80), byte(0xBF)
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		need = 1
	case c >= 0xE0 && c <= 0xEF:
		need = 2
		switch c {
		case 0xE0:
			low = 0xA0
		case 0xED:
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		need = 3
		switch c {
		case 0xF0:
			low = 0x90
		case 0xF4:
			high = 0x8F
		}
	}
	for size <= need && size < len(b) && b[size] >= low && b[size] <= high {
		size++
		low, high = 0x80, 0xBF
	}
	return utf8.RuneError, size
}

// ValidString returns b as a string in which whatever is not UTF-8 is replaced by U+FFFD.
func ValidString(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string(AppendValid(make([]byte, 0, len(b)+8), b))
}

// AppendValid appends b to dst with U+FFFD for whatever is not UTF-8.
func AppendValid(dst, b []byte) []byte {
	for len(b) > 0 {
		r, size := DecodeRune(b)
		dst = utf8.AppendRune(dst, r)
		b = b[size:]
	}
	return dst
}
