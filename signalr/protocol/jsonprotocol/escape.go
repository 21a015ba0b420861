package jsonprotocol

import (
	"unicode/utf8"

	"signalbox/signalr/protocol/internal/dotnet"
)

// escaped has a bit for every code point of the basic multilingual plane: 1 is written as an escape.
var escaped = func() (t [0x10000 / 64]uint64) {
	for _, r := range escapedRanges {
		for c := int(r[0]); c <= int(r[1]); c++ {
			t[c/64] |= 1 << (c % 64)
		}
	}
	return t
}()

// isEscaped says whether r is written as an escape, or as two when it lies outside the basic multilingual plane.
func isEscaped(r rune) bool {
	return r > 0xFFFF || escaped[r/64]>>(r%64)&1 == 1
}

const upperHex = "0123456789ABCDEF"

func appendHex4(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', upperHex[r>>12&15], upperHex[r>>8&15], upperHex[r>>4&15], upperHex[r&15])
}

// appendEscape appends r as an escape.
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, '\\', 'b')
	case '\t':
		return append(dst, '\\', 't')
	case '\n':
		return append(dst, '\\', 'n')
	case '\f':
		return append(dst, '\\', 'f')
	case '\r':
		return append(dst, '\\', 'r')
	}
	if r > 0xFFFF {
		r -= 0x10000
		return appendHex4(appendHex4(dst, 0xD800|r>>10), 0xDC00|r&0x3FF)
	}
	return appendHex4(dst, r)
}

// appendString appends s as a JSON string, escaped as the reference escapes (F-072).
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	dst = appendText(dst, s)
	return append(dst, '"')
}

// appendText appends s without quotes. What is not UTF-8 becomes U+FFFD, which is then, unlike a real U+FFFD, escaped.
func appendText[T string | []byte](dst []byte, s T) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && escaped[c/64]>>(c%64)&1 == 0 {
			i++
			continue
		}
		r, size := rune(c), 1
		invalid := false
		if c >= utf8.RuneSelf {
			r, size = dotnet.DecodeRune([]byte(s[i:min(i+utf8.UTFMax, len(s))]))
			invalid = r == utf8.RuneError && (size != 3 || c != 0xEF)
		}
		if invalid || isEscaped(r) {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, r)
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}
