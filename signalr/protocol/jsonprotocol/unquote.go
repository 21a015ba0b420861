package jsonprotocol

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/signalr/protocol"
)

// unquote returns the text of the JSON string token, quotes included, whose syntax is sound and in which is what flags
// say. Text that is not UTF-8 and escaped surrogates that are no pair are errors with the words of .NET.
func unquote(token []byte, flags stringFlags) (string, error) {
	body := token[1 : len(token)-1]
	if flags&hasHigh != 0 && !utf8.Valid(body) {
		return "", &protocol.DataError{Name: "InvalidOperationException", Text: "Cannot transcode invalid UTF-8 JSON text to UTF-16 string."}
	}
	if flags&hasEscape == 0 {
		return string(body), nil
	}
	var small [64]byte
	text, err := appendUnquoted(small[:0], body)
	return string(text), err
}

// appendUnquoted appends the text of the body of a string, whose syntax is sound, to dst.
func appendUnquoted(dst, body []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			return append(dst, body...), nil
		}
		dst = append(dst, body[:i]...)
		r, size, err := unescape(body[i:])
		if err != nil {
			return dst, err
		}
		dst = utf8.AppendRune(dst, r)
		body = body[i+size:]
	}
}

// unescape returns the character that the escape at the start of b means, and the escape's size: twelve for a pair of
// surrogates.
func unescape(b []byte) (r rune, size int, err error) {
	switch b[1] {
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
	default:
		return rune(b[1]), 2, nil
	}
	r, _ = hex4(b, 2)
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	if r >= 0xDC00 {
		return 0, 0, errSurrogate(r)
	}
	if len(b) < 8 || b[6] != '\\' || b[7] != 'u' {
		return 0, 0, &protocol.DataError{Name: "InvalidOperationException", Text: "Cannot read incomplete UTF-16 JSON text as string with missing low surrogate."}
	}
	low, _ := hex4(b, 8)
	if low < 0xDC00 || low > 0xDFFF {
		return 0, 0, errSurrogate(low)
	}
	return utf16.DecodeRune(r, low), 12, nil
}

func errSurrogate(r rune) error {
	return &protocol.DataError{Name: "InvalidOperationException", Text: fmt.Sprintf("Cannot read invalid UTF-16 JSON text as string. Invalid surrogate value: '0x%X'.", r)}
}
