package protocol

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// RecordSeparator ends the handshake, and every message of the JSON protocol (F-054, F-060).
const RecordSeparator = 0x1E

// HandshakeRequest is the first thing that a client sends, always in JSON: which protocol it wants to speak (F-054).
//
// ASP.NET Core: HandshakeRequestMessage.
type HandshakeRequest struct {
	Protocol string
	Version  int
}

// ParseHandshakeRequest reads a handshake from the beginning of data and returns it with the number of bytes that it
// took; n is 0 when it is not complete. Unknown properties are skipped, of two equal ones the last counts, and what
// stands behind the object in its record is ignored.
func ParseHandshakeRequest(data []byte) (req HandshakeRequest, n int, err error) {
	end := bytes.IndexByte(data, RecordSeparator)
	if end < 0 {
		return req, 0, nil
	}
	req, err = readHandshake(data[:end])
	return req, end + 1, err
}

func readHandshake(record []byte) (req HandshakeRequest, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(record), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	broken := func(err error) (HandshakeRequest, error) {
		return req, &DataError{Name: "JsonReaderException", Text: err.Error()}
	}
	if kind := d.PeekKind(); kind != '{' {
		if _, err := d.ReadToken(); err != nil {
			return broken(err)
		}
		return req, InvalidData("Unexpected JSON Token Type '" + kindName(kind) + "'. Expected a JSON Object.")
	}
	if _, err := d.ReadToken(); err != nil {
		return broken(err)
	}
	var hasProtocol, hasVersion bool
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return broken(err)
		}
		switch name.String() {
		case "protocol":
			t, err := d.ReadToken()
			if err != nil {
				return broken(err)
			}
			if t.Kind() != '"' {
				return req, InvalidData("Expected 'protocol' to be of type String.")
			}
			req.Protocol, hasProtocol = t.String(), true
		case "version":
			t, err := d.ReadToken()
			if err != nil {
				return broken(err)
			}
			if t.Kind() == 'n' { // counts as not there
				hasVersion = false
				continue
			}
			v, err := strconv.ParseInt(t.String(), 10, 32)
			if t.Kind() != '0' || err != nil {
				return req, InvalidData("Expected 'version' to be of type Number.")
			}
			req.Version, hasVersion = int(v), true
		default:
			if err := d.SkipValue(); err != nil {
				return broken(err)
			}
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return broken(err)
	}
	missing := func(name string) error {
		return InvalidData("Missing required property '" + name + "'. Message content: " + string(record))
	}
	switch {
	case !hasProtocol:
		return req, missing("protocol")
	case !hasVersion:
		return req, missing("version")
	}
	return req, nil
}

// kindName is what the reference calls a token in its errors.
func kindName(k jsontext.Kind) string {
	switch k {
	case '[':
		return "Array"
	case '"':
		return "String"
	case '0':
		return "Number"
	case 't':
		return "True"
	case 'f':
		return "False"
	case 'n':
		return "Null"
	default:
		return k.String()
	}
}

// AppendHandshakeResponse appends the answer to a handshake: an empty object, or one with the error (F-055).
func AppendHandshakeResponse(dst []byte, errorText string) []byte {
	if errorText == "" {
		return append(dst, '{', '}', RecordSeparator)
	}
	dst = append(dst, `{"error":`...)
	quoted, err := jsontext.AppendQuote(dst, errorText)
	if err != nil { // invalid UTF-8, which has been replaced
		quoted = append(dst, `"An unexpected error occurred during connection handshake."`...)
	}
	return append(quoted, '}', RecordSeparator)
}
