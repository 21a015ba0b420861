package jsonprotocol

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"signalbox/signalr/protocol"
)

// errSyntax returns the error of text that is no JSON (F-070).
func errSyntax() error { return protocol.InvalidData("Error reading JSON.") }

// skipSpace returns the place of the first byte of b from i that is not white space, or len(b).
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// What a string holds besides plain ASCII.
type stringFlags uint8

const (
	hasEscape stringFlags = 1 << iota
	hasHigh               // bytes from 0x80
)

// Eight copies of a byte, for looking at eight bytes at a time.
const (
	ones = 0x0101010101010101
	high = 0x8080808080808080
)

// skipPlain returns the place of the first byte of b from i that is a quote, a backslash, a control or no ASCII, or
// one of the last seven places of b.
func skipPlain(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, escape := x^(ones*'"'), x^(ones*'\\')
		// The high bit of a byte is set in each term when the byte is too small or equal; a borrow may set further ones
		// behind the first, which is the only one that is looked at.
		if found := ((x - ones*0x20) | (quote - ones) | (escape - ones) | x) & high; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// scanString returns the place behind the string whose opening quote is b[i], or -1 when it is no JSON string, and what
// is in it. Whether its text is UTF-8, and its escaped surrogates come in pairs, is for those to find who want the text.
func scanString(b []byte, i int) (end int, flags stringFlags) {
	for i = skipPlain(b, i+1); i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, flags
		case c < 0x20:
			return -1, 0
		case c >= 0x80:
			flags |= hasHigh
		case c == '\\':
			flags |= hasEscape
			i++
			if i == len(b) {
				return -1, 0
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b, i+1); !ok {
					return -1, 0
				}
				i += 4
			default:
				return -1, 0
			}
			i = skipPlain(b, i+1) - 1
		}
	}
	return -1, 0
}

// skipString is scanString for those who do not want the text.
func skipString(b []byte, i int) int {
	end, _ := scanString(b, i)
	return end
}

// hex4 reads the four hexadecimal digits at b[i].
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// skipDigits returns the place of the first byte of b from i that is no digit.
func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// numberEnds are the bytes that may follow a number. The slash, which no JSON text has there, is among them because the
// reference finds it only when it looks for what comes next.
var numberEnds = []byte(",}] \n\r\t/")

// skipNumber returns the place behind the number that starts at b[i], or -1 when it is none.
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	start := i
	if i = skipDigits(b, i); i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = skipDigits(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(b, i); i == start {
			return -1
		}
	}
	if i < len(b) && bytes.IndexByte(numberEnds, b[i]) < 0 {
		return -1
	}
	return i
}

// skipScalar returns the place behind the string, number or literal that starts at b[i], or -1 when it is none.
func skipScalar(b []byte, i int) int {
	literal := ""
	switch c := b[i]; c {
	case '"':
		return skipString(b, i)
	case 't':
		literal = "true"
	case 'f':
		literal = "false"
	case 'n':
		literal = "null"
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return skipNumber(b, i)
	default:
		return -1
	}
	if end := i + len(literal); end <= len(b) && string(b[i:end]) == literal {
		return end
	}
	return -1
}

// scanName finds the name of a member at b[i], which may have white space in front, and its colon. The token is the
// name with its quotes. next is the place behind the colon, or -1.
func scanName(b []byte, i int) (token []byte, flags stringFlags, next int) {
	start := skipSpace(b, i)
	if start == len(b) || b[start] != '"' {
		return nil, 0, -1
	}
	end, flags := scanString(b, start)
	if end < 0 {
		return nil, 0, -1
	}
	if next = skipSpace(b, end); next == len(b) || b[next] != ':' {
		return nil, 0, -1
	}
	return b[start:end], flags, next + 1
}

// skipName returns the place behind the name at b[i] and its colon, or -1.
func skipName(b []byte, i int) int {
	_, _, next := scanName(b, i)
	return next
}

// skipValue returns the place behind the value that starts at b[i] or after white space there, or -1 when there is
// none. depth is how many objects and arrays it stands in; more than maxDepth in all are refused.
func skipValue(b []byte, i, depth int) int {
	var objects uint64 // a bit for each open object or array of this value, the lowest is the innermost: 1 is an object
	for base := depth; ; {
		if i = skipSpace(b, i); i == len(b) {
			return -1
		}
		if c := b[i]; c == '{' || c == '[' {
			if depth == maxDepth {
				return -1
			}
			depth++
			objects <<= 1
			i = skipSpace(b, i+1)
			if c == '{' {
				objects |= 1
				if i == len(b) || b[i] != '}' {
					if i = skipName(b, i); i < 0 {
						return -1
					}
					continue
				}
			} else if i == len(b) || b[i] != ']' {
				continue
			}
		} else if i = skipScalar(b, i); i < 0 {
			return -1
		}
		// A value or an opening bracket has ended: close brackets up to the next comma.
		for {
			if depth == base {
				return i
			}
			if i = skipSpace(b, i); i == len(b) {
				return -1
			}
			c, object := b[i], objects&1 == 1
			i++
			if c == ',' {
				if object {
					if i = skipName(b, i); i < 0 {
						return -1
					}
				}
				break
			}
			if c != '}' && c != ']' || object != (c == '}') {
				return -1
			}
			objects >>= 1
			depth--
		}
	}
}
