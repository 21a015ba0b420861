package jsonprotocol

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"signalbox/signalr/protocol"
)

// DecodeArguments implements [protocol.HubProtocol]. As in the reference, an argument that does not fit is reported
// before a wrong number of them. Nothing that it decodes shares memory with args.
func (p *Protocol) DecodeArguments(args protocol.RawValue, dst ...any) error {
	i := skipSpace(args, 0)
	if i == len(args) || args[i] != '[' {
		return &protocol.ArgumentError{Err: errSyntax()}
	}
	got := 0
	if i = skipSpace(args, i+1); i < len(args) && args[i] == ']' {
		return checkCount(got, dst)
	}
	for ; ; got++ {
		start := skipSpace(args, i)
		if i = skipValue(args, start, 2); i < 0 {
			return &protocol.ArgumentError{Index: got, Err: errSyntax()}
		}
		if got < len(dst) {
			if err := p.decode(args[start:i], dst[got]); err != nil {
				return &protocol.ArgumentError{Index: got, Err: err}
			}
		}
		if i = skipSpace(args, i); i < len(args) {
			switch args[i] {
			case ',':
				i++
				continue
			case ']':
				return checkCount(got+1, dst)
			}
		}
		return &protocol.ArgumentError{Index: got, Err: errSyntax()}
	}
}

func checkCount(got int, dst []any) error {
	if got != len(dst) {
		return &protocol.ArgumentCountError{Got: got, Want: len(dst)}
	}
	return nil
}

// Decode implements [protocol.HubProtocol]. The text of its errors is that of .NET's JsonException.
func (p *Protocol) Decode(v protocol.RawValue, dst any) error {
	start := skipSpace(v, 0)
	end := skipValue(v, start, 1)
	if end < 0 || skipSpace(v, end) != len(v) {
		return errSyntax()
	}
	return p.decode(v[start:end], dst)
}

var (
	errNull    = errors.New("null for a type that has no null")
	errKind    = errors.New("a value of another kind")
	errBase64  = errors.New("not base64")
	errPointer = errors.New("values can only be decoded into what a pointer points to")
)

// decode decodes value, whose syntax is sound and which has no white space around it.
func (p *Protocol) decode(value []byte, dst any) error {
	known, err := decodeKnown(value, dst)
	if !known {
		err = p.decodeAny(value, dst)
	}
	if err != nil {
		return newValueError(value, reflect.TypeOf(dst), err)
	}
	return nil
}

// decodeKnown decodes into the types that most parameters have, which is quicker than the library can be, and into
// those that .NET reads in its own way. It returns false for other types.
func decodeKnown(value []byte, dst any) (known bool, err error) {
	switch dst := dst.(type) {
	case *string:
		*dst, err = decodeString(value)
	case *bool:
		switch value[0] {
		case 't', 'f':
			*dst = value[0] == 't'
		default:
			return true, errKind
		}
	case *int:
		err = decodeInt(value, dst, strconv.IntSize)
	case *int32:
		err = decodeInt(value, dst, 32)
	case *int64:
		err = decodeInt(value, dst, 64)
	case *uint64:
		*dst, err = strconv.ParseUint(string(value), 10, 64)
	case *float64:
		*dst, err = decodeFloat(value, 64)
	case *protocol.RawValue:
		*dst = bytes.Clone(value)
	case *[]byte:
		*dst, err = decodeBase64(value)
	case *time.Time:
		*dst, err = decodeText(value, parseTime)
	case *time.Duration:
		*dst, err = decodeText(value, parseDuration)
	default:
		return false, nil
	}
	return true, err
}

func decodeString(value []byte) (string, error) {
	switch value[0] {
	case '"':
		_, flags := scanString(value, 0)
		return unquote(value, flags)
	case 'n':
		return "", nil
	default:
		return "", errKind
	}
}

// decodeInt takes what strconv takes: a JSON number without point and exponent, and nothing else that JSON has.
func decodeInt[T int | int32 | int64](value []byte, dst *T, bits int) error {
	n, err := strconv.ParseInt(string(value), 10, bits)
	*dst = T(n)
	return err
}

// decodeFloat reads a number. One too large is infinity, as it is to the reference (F-072).
func decodeFloat(value []byte, bits int) (float64, error) {
	if value[0] != '-' && value[0]-'0' > 9 {
		return 0, errKind
	}
	f, err := strconv.ParseFloat(string(value), bits)
	if math.IsInf(f, 0) {
		return f, nil
	}
	return f, err
}

// decodeBase64 reads base64 with padding, in which white space may stand anywhere.
func decodeBase64(value []byte) ([]byte, error) {
	if value[0] == 'n' {
		return nil, nil
	}
	text, err := decodeString(value)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, 0, len(text))
	for _, c := range []byte(text) {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			plain = append(plain, c)
		}
	}
	n, err := base64.StdEncoding.Strict().Decode(plain, plain)
	if err != nil {
		return nil, errBase64
	}
	return plain[:n:n], nil
}

// decodeText reads a string that parse understands.
func decodeText[T any](value []byte, parse func(string) (T, error)) (v T, err error) {
	if value[0] != '"' {
		return v, errKind
	}
	text, err := decodeString(value)
	if err != nil {
		return v, err
	}
	return parse(text)
}

// decodeAny decodes by the library. Where .NET refuses null, and of several members with one name lets the last replace
// the others whole, the library would take null for zero and put the members together; only a look at every single
// value could prevent that, and was measured to make decoding two to five times slower. So this look is kept for values in which there
// is a null or, because plain refuses them, something else that plain does not decode as .NET does.
func (p *Protocol) decodeAny(value []byte, dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return errPointer
	}
	v.Elem().SetZero()
	if !bytes.Contains(value, []byte("null")) {
		if json.Unmarshal(value, dst, p.plain) == nil {
			return nil
		}
		v.Elem().SetZero()
	}
	return json.Unmarshal(value, dst, p.exact)
}
