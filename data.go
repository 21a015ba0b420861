package signalbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDataDepth is how deep objects and arrays may be nested in a notification's data, itself included. A message of the
// JSON hub protocol may be nested 64 deep (F-072), of which the answer to CatchUp takes four before its data begin.
const MaxDataDepth = 60

// ValidateData checks that a notification's data can be stored, and delivered by every hub protocol: none, null, or a
// JSON object of at most [MaxDataBytes] bytes, nested at most [MaxDataDepth] deep, in which no name comes twice in one
// object, text is Unicode (no half of a surrogate pair), and numbers are within the range of float64. What is wrong is an
// [*InvalidError].
func ValidateData(data json.RawMessage) error {
	if isNone(data) {
		return nil
	}
	if len(data) > MaxDataBytes {
		return invalidData("must be at most %d bytes long", MaxDataBytes)
	}
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if d.PeekKind() != '{' {
		return invalidData("must be a JSON object")
	}
	for {
		token, err := d.ReadToken()
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			return invalidData("must not have a name twice in one object")
		case err != nil:
			return invalidData("must be a JSON object, in valid Unicode")
		}
		if d.StackDepth() > MaxDataDepth {
			return invalidData("must not be nested deeper than %d", MaxDataDepth)
		}
		if token.Kind() == '0' {
			if _, err := strconv.ParseFloat(token.String(), 64); err != nil {
				return invalidData("must not have numbers beyond the range of a 64-bit floating-point number")
			}
		}
		if d.StackDepth() > 0 {
			continue
		}
		if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
			return invalidData("must be one JSON object")
		}
		return nil
	}
}

func invalidData(format string, args ...any) error {
	return &InvalidError{Field: "data", Reason: fmt.Sprintf(format, args...)}
}
