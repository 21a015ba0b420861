package jsonprotocol

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// appendRaw appends the JSON value src, which stands in depth objects and arrays, without its white space and with its
// strings escaped as the reference escapes them. Numbers keep their spelling. It fails when src is not one JSON value.
func appendRaw(dst, src []byte, depth int) ([]byte, error) {
	end := skipValue(src, 0, depth)
	if end < 0 || skipSpace(src, end) != len(src) {
		return dst, errors.New("the raw value is not one JSON value, or is nested too deep")
	}
	for i := skipSpace(src, 0); i < end; i = skipSpace(src, i) {
		if src[i] != '"' {
			dst = append(dst, src[i])
			i++
			continue
		}
		token := src[i:skipString(src, i)]
		var err error
		if dst, err = appendRawString(dst, token[1:len(token)-1]); err != nil {
			return dst, err
		}
		i += len(token)
	}
	return dst, nil
}

// appendRawString appends a JSON string with the given body, whose syntax is sound, escaped anew.
func appendRawString(dst, body []byte) ([]byte, error) {
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(body, '\\')
		if i < 0 {
			dst = appendText(dst, body)
			return append(dst, '"'), nil
		}
		dst = appendText(dst, body[:i])
		r, size, err := unescape(body[i:])
		if err != nil {
			return dst, err
		}
		if isEscaped(r) {
			dst = appendEscape(dst, r)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
		body = body[i+size:]
	}
}
