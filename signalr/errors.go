package signalr

import (
	"errors"
	"fmt"
	"reflect"
)

// HubError is the one error whose text reaches clients: whatever else a handler returns, they are told only that the
// call failed (F-083). Filters and callers find it with [errors.As].
//
// ASP.NET Core: HubException.
type HubError struct{ Message string }

// Error returns the message.
func (e *HubError) Error() string { return e.Message }

// ErrorName returns "HubException", which clients see in front of the message.
func (e *HubError) ErrorName() string { return "HubException" }

// Errorf returns a [*HubError] with a formatted message, which clients will see.
func Errorf(format string, args ...any) error {
	return &HubError{Message: fmt.Sprintf(format, args...)}
}

// What sends and client results fail with. Test with [errors.Is].
var (
	// ErrConnectionClosed: the connection that was asked for a result does not exist, or ended before it answered.
	ErrConnectionClosed = errors.New("the connection is closed")
	// ErrServerClosed: the server is shutting down.
	ErrServerClosed = errors.New("the server is shut down")
	// ErrSlowConsumer is what OnDisconnected gets for a connection that was closed because what others sent to it
	// found no room in its queue.
	ErrSlowConsumer error = &namedError{"SlowConsumerException", "The client did not read fast enough: its send queue is full."}
	// ErrClientTimeout is what OnDisconnected gets for a client that fell silent (F-115).
	ErrClientTimeout error = &namedError{"OperationCanceledException",
		"Client hasn't sent a message/ping within the configured ClientTimeoutInterval."}
)

// namedError is an error with the name of the .NET exception that stands for it, which detailed errors show.
type namedError struct{ name, text string }

func (e *namedError) Error() string     { return e.text }
func (e *namedError) ErrorName() string { return e.name }

// connectionError is an [ErrConnectionClosed] with the reference's text and name (F-107).
type connectionError struct{ text string }

func (e *connectionError) Error() string        { return e.text }
func (e *connectionError) ErrorName() string    { return "IOException" }
func (e *connectionError) Is(target error) bool { return target == ErrConnectionClosed }

// describe completes the text of a failure by the detail rule (F-083): the name and text of the error are appended if
// it is a HubError, or if the hub shows details.
func describe(text string, err error, details bool) string {
	if he, ok := errors.AsType[*HubError](err); ok {
		return text + " HubException: " + he.Message
	}
	if !details || err == nil {
		return text
	}
	return text + " " + errorName(err) + ": " + err.Error()
}

// errorName is what stands for the exception's type name: what the error says itself, else the name of its Go type.
func errorName(err error) string {
	var named interface{ ErrorName() string }
	if errors.As(err, &named) {
		return named.ErrorName()
	}
	t := reflect.TypeOf(err)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch name := t.Name(); name {
	case "", "errorString", "wrapError", "joinError", "wrapErrors", "fundamental":
		return "Error"
	default:
		return name
	}
}
