package protocol

import (
	"strconv"

	"signalbox/signalr/transport"
)

// HubProtocol turns messages into bytes and back. An implementation is safe for use by several goroutines, and
// passes the suite in protocoltest.
//
// ASP.NET Core: IHubProtocol.
type HubProtocol interface {
	// Name is what clients ask for in the handshake, such as "json" (F-054). It is matched without regard to case.
	Name() string
	// Version is the highest version of the protocol that is spoken (F-059).
	Version() int
	// TransferFormat says whether the bytes are text.
	TransferFormat() transport.TransferFormat

	// Parse reads the first message of data and returns it with the number of bytes that it took.
	//
	// n is 0 with a nil error when data holds no complete message: call again with more bytes. m is nil with n > 0
	// for a message of unknown type, which is to be skipped (F-071). The message shares the memory of data.
	//
	// An error means that the connection cannot go on (F-070, F-076); arguments, items and results that are unsound
	// in a sound message are reported in the message instead. Parse reads data only as far as the first message and
	// needs memory in proportion to it, whatever the bytes say.
	Parse(data []byte) (m Message, n int, err error)

	// Append appends m, framed, to dst. It fails when a value of m cannot be encoded; dst is then returned as it was.
	Append(dst []byte, m Message) ([]byte, error)

	// DecodeArguments decodes the array args into dst, pointers to the handler's parameters in order. It fails with
	// an [ArgumentCountError] when their number differs from the array's, and with an [ArgumentError] when a value
	// does not fit its type.
	DecodeArguments(args RawValue, dst ...any) error

	// Decode decodes one value into what dst points to.
	Decode(v RawValue, dst any) error
}

// DataError is the error of bytes that break the protocol. Its text is ASP.NET Core's, which clients see when
// detailed errors are on.
type DataError struct {
	// Name is the name of the .NET exception that carries the text there, such as "InvalidDataException".
	Name string
	Text string
}

// InvalidData returns a DataError with the name InvalidDataException.
func InvalidData(text string) *DataError { return &DataError{Name: "InvalidDataException", Text: text} }

func (e *DataError) Error() string { return e.Text }

// ErrorName returns e.Name; see the server's EnableDetailedErrors.
func (e *DataError) ErrorName() string { return e.Name }

// ArgumentError is the error of an argument, item or result that does not fit its type (F-081). Its text is
// ASP.NET Core's; what was wrong is in Err.
type ArgumentError struct {
	// Index is the argument's place, from 0.
	Index int
	Err   error
}

func (e *ArgumentError) Error() string {
	return "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
}

// Unwrap returns Err.
func (e *ArgumentError) Unwrap() error { return e.Err }

// ErrorName returns "InvalidDataException".
func (e *ArgumentError) ErrorName() string { return "InvalidDataException" }

// ArgumentCountError is the error of a call with the wrong number of arguments (F-081).
type ArgumentCountError struct {
	// Got is the number that the message has, Want what the method takes.
	Got, Want int
}

func (e *ArgumentCountError) Error() string {
	return "Invocation provides " + strconv.Itoa(e.Got) + " argument(s) but target expects " + strconv.Itoa(e.Want) + "."
}

// ErrorName returns "InvalidDataException".
func (e *ArgumentCountError) ErrorName() string { return "InvalidDataException" }
