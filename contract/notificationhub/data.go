package notificationhub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// Data is a JSON value that reaches clients as it is, null when nil. JSON clients get its numbers as they are spelled.
// MessagePack clients get the same value in their format: an integer that int64 or uint64 holds is one, any other number
// is a float64, and members keep their order. A value that has a name twice in one object, text that is not Unicode or a
// number beyond float64 cannot be written.
type Data []byte

// MarshalJSON returns the value, or null.
func (d Data) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	return d, nil
}

// UnmarshalJSON takes a copy of the value; null becomes nil.
func (d *Data) UnmarshalJSON(b []byte) error {
	*d = nil
	if string(b) != "null" {
		*d = bytes.Clone(b)
	}
	return nil
}

// MarshalMsg appends the value in MessagePack. It is what the MessagePack protocol asks a value for.
func (d Data) MarshalMsg(dst []byte) ([]byte, error) {
	if d == nil {
		return msgp.AppendNil(dst), nil
	}
	dec := jsontext.NewDecoder(bytes.NewReader(d))
	out, err := appendMsg(dst, dec)
	if err != nil {
		return dst, fmt.Errorf("writing JSON as MessagePack: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return dst, errors.New("writing JSON as MessagePack: there is more behind the value")
	}
	return out, nil
}

// appendMsg appends the next value of dec.
func appendMsg(dst []byte, dec *jsontext.Decoder) ([]byte, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return dst, err
	}
	switch token.Kind() {
	case 'n':
		return msgp.AppendNil(dst), nil
	case 't', 'f':
		return msgp.AppendBool(dst, token.Bool()), nil
	case '"':
		return msgp.AppendString(dst, token.String()), nil
	case '0':
		return appendNumber(dst, token.String())
	}
	// How many there are stands in front of them: they are written aside first.
	object := token.Kind() == '{'
	var members []byte
	count := uint32(0)
	for next := dec.PeekKind(); next != '}' && next != ']'; next = dec.PeekKind() {
		if object {
			name, err := dec.ReadToken()
			if err != nil {
				return dst, err
			}
			members = msgp.AppendString(members, name.String())
		}
		if members, err = appendMsg(members, dec); err != nil {
			return dst, err
		}
		count++
	}
	if _, err := dec.ReadToken(); err != nil {
		return dst, err
	}
	if object {
		dst = msgp.AppendMapHeader(dst, count)
	} else {
		dst = msgp.AppendArrayHeader(dst, count)
	}
	return append(dst, members...), nil
}

// appendNumber appends a number that is spelled as in JSON.
func appendNumber(dst []byte, text string) ([]byte, error) {
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return msgp.AppendUint64(dst, u), nil
	}
	// As an integer, -0 would lose its sign.
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && i != 0 {
		return msgp.AppendInt64(dst, i), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return dst, err
	}
	return msgp.AppendFloat64(dst, f), nil
}
