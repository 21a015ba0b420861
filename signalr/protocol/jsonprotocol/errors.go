package jsonprotocol

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/dotnet"
)

// errMissing returns the error of a message without the property name.
func errMissing(name string) error {
	return protocol.InvalidData("Missing required property '" + name + "'.")
}

// errType returns the error of a value at b[i] that is of another type than text says, unless it is no value at all.
func errType(b []byte, i int, text string) error {
	if c := b[i]; c != '{' && c != '[' && (skipScalar(b, i) < 0 || isCutNumber(b, i)) {
		return errSyntax()
	}
	return protocol.InvalidData(text)
}

// isCutNumber says whether b[i] starts a number that the end of b may have cut short. The reference then finds nothing
// else wrong with it.
func isCutNumber(b []byte, i int) bool {
	return (b[i] == '-' || b[i]-'0' <= 9) && skipNumber(b, i) == len(b)
}

// errStreamID returns the error of a stream id at b[i] that is no string.
func errStreamID(b []byte, i int) error {
	name := tokenName(b[i])
	switch {
	case name == "Array", name == "Object":
		name = "Start" + name
	case skipScalar(b, i) < 0:
		return errSyntax()
	case name == "Null":
		return protocol.InvalidData("Null value for 'streamIds' is not valid.")
	}
	return &protocol.DataError{
		Name: "InvalidOperationException",
		Text: "Cannot get the value of a token type '" + name + "' as a string.",
	}
}

// tokenName returns .NET's name for the kind of value that starts with c.
func tokenName(c byte) string {
	switch c {
	case '{':
		return "Object"
	case '[':
		return "Array"
	case '"':
		return "String"
	case 't':
		return "True"
	case 'f':
		return "False"
	case 'n':
		return "Null"
	default:
		return "Number"
	}
}

// valueError is the error of a value that does not fit its type. Its text is that of .NET's JsonException.
type valueError struct {
	typeName string
	path     string
	position int
	err      error
}

// newValueError returns the error of value, which did not become a t because of err.
func newValueError(value []byte, t reflect.Type, err error) error {
	e := &valueError{typeName: dotnet.TypeName(t), path: "$", position: len(value), err: err}
	if len(value) > 0 && (value[0] == '{' || value[0] == '[') { // the reference stops behind the bracket that it cannot use
		e.position = 1
	}
	if s, ok := errors.AsType[*json.SemanticError](err); ok && s.JSONPointer != "" {
		e.position = int(s.ByteOffset)
		for name := range s.JSONPointer.Tokens() {
			if strings.Trim(name, "0123456789") == "" {
				e.path += "[" + name + "]"
			} else {
				e.path += "." + name
			}
		}
		if s.GoType != nil {
			e.typeName = dotnet.TypeName(s.GoType)
		}
	}
	return e
}

func (e *valueError) Error() string {
	return fmt.Sprintf("The JSON value could not be converted to System.%s. Path: %s | LineNumber: 0 | BytePositionInLine: %d.",
		e.typeName, e.path, e.position)
}

// ErrorName returns "JsonException".
func (*valueError) ErrorName() string { return "JsonException" }

// Unwrap returns what was wrong, in the words of this package or of the library.
func (e *valueError) Unwrap() error { return e.err }
