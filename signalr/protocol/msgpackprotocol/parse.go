package msgpackprotocol

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/dotnet"
	"signalbox/signalr/protocol/internal/names"
)

// How many elements the array of a message must announce for its last one to be read, as the reference has it: whether
// they are there shows when they are read.
const (
	withStreamIDs      = 6
	withAllowReconnect = 3
)

// The kinds of completion (F-073).
const (
	kindError  = 1
	kindVoid   = 2
	kindResult = 3
)

// parseMessage reads the message in b; the targets of invocations are likely to be known. Elements that nobody asks for, and bytes behind the array, are ignored.
func parseMessage(b []byte, known *names.Table) (protocol.Message, error) {
	r := reader{b: b}
	count, err := r.array()
	if err != nil {
		return nil, bareError(err)
	}
	t, err := r.int(32)
	if err != nil {
		return nil, readError("messageType", "Int32")
	}
	switch t := protocol.Type(t); t {
	case protocol.InvocationType, protocol.StreamInvocationType:
		return r.invocation(t, count, known)
	case protocol.StreamItemType:
		return r.streamItem()
	case protocol.CompletionType:
		return r.completion()
	case protocol.CancelInvocationType:
		m := &protocol.CancelInvocation{}
		if m.Headers, m.InvocationID, err = r.head("CancelInvocation"); err != nil {
			return nil, err
		}
		return m, nil
	case protocol.PingType:
		return &protocol.Ping{}, nil
	case protocol.CloseType:
		m := &protocol.Close{}
		if m.Error, err = r.field("error"); err != nil {
			return nil, err
		}
		if count >= withAllowReconnect {
			if m.AllowReconnect, err = r.bool(); err != nil {
				return nil, readError("allowReconnect", "Boolean")
			}
		}
		return m, nil
	case protocol.AckType, protocol.SequenceType:
		id, err := r.int(64)
		if err != nil {
			return nil, readError("sequenceId", "Int64")
		}
		if t == protocol.AckType {
			return &protocol.Ack{SequenceID: id}, nil
		}
		return &protocol.Sequence{SequenceID: id}, nil
	default:
		return nil, nil // a type of a later version of the protocol is skipped (F-071)
	}
}

func (r *reader) invocation(t protocol.Type, count int, known *names.Table) (protocol.Message, error) {
	m := &protocol.Invocation{Stream: t == protocol.StreamInvocationType}
	var err error
	if m.Stream {
		m.Headers, m.InvocationID, err = r.head("StreamInvocation")
	} else if m.Headers, err = r.headers(); err == nil {
		m.InvocationID, err = r.field("invocationId")
	}
	if err != nil {
		return nil, err
	}
	if m.Target, err = r.name(known); err != nil {
		return nil, readError("target", "String")
	}
	if m.Target == "" {
		name := "Invocation"
		if m.Stream {
			name = "StreamInvocation"
		}
		return nil, protocol.InvalidData("Null or empty target for " + name + " message.")
	}
	start := r.pos
	n, err := r.array()
	if err != nil {
		m.ArgumentsErr = protocol.InvalidData("Reading array length for 'arguments' failed.")
		return m, nil
	}
	for i := range n {
		if err := r.skip(1); err != nil { // cut short, or no value
			m.ArgumentsErr = &protocol.ArgumentError{Index: i, Err: err}
			return m, nil
		}
	}
	m.RawArguments = r.b[start:r.pos:r.pos]
	if count >= withStreamIDs {
		if m.StreamIDs, err = r.streamIDs(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (r *reader) streamItem() (protocol.Message, error) {
	m := &protocol.StreamItem{}
	var err error
	if m.Headers, m.InvocationID, err = r.head("StreamItem"); err != nil {
		return nil, err
	}
	if m.RawItem, err = r.raw(); err != nil {
		m.ItemErr = protocol.InvalidData("Deserializing object for 'item' failed.")
	}
	return m, nil
}

func (r *reader) completion() (protocol.Message, error) {
	m := &protocol.Completion{}
	var err error
	if m.Headers, m.InvocationID, err = r.head("Completion"); err != nil {
		return nil, err
	}
	kind, err := r.int(32)
	if err != nil {
		return nil, readError("resultKind", "Int32")
	}
	switch kind {
	case kindError:
		m.HasError = !r.skipNil() // the reference takes a nil error for none
		if m.HasError {
			m.Error, err = r.field("error")
		}
		if err != nil {
			return nil, err
		}
	case kindVoid:
	case kindResult:
		m.HasResult = true
		if m.RawResult, err = r.raw(); err != nil {
			m.ResultErr = protocol.InvalidData("Deserializing object for 'argument' failed.")
		}
	default:
		return nil, protocol.InvalidData("Invalid invocation result kind.")
	}
	return m, nil
}

// head reads the headers and the invocation id, which must not be empty, of the named kind of message.
func (r *reader) head(name string) (headers protocol.Headers, id string, err error) {
	if headers, err = r.headers(); err != nil {
		return nil, "", err
	}
	if id, err = r.field("invocationId"); err != nil {
		return nil, "", err
	}
	if id == "" {
		return nil, "", protocol.InvalidData("Null or empty invocation ID for " + name + " message.")
	}
	return headers, id, nil
}

// headers reads the map of headers (F-062).
func (r *reader) headers() (protocol.Headers, error) {
	count, err := r.mapping()
	if err != nil {
		return nil, protocol.InvalidData("Reading map length for 'headers' failed.")
	}
	if count == 0 {
		return nil, nil
	}
	headers := protocol.Headers{}
	for i := range count {
		name, err := r.string()
		if err != nil {
			return nil, readError(fmt.Sprintf("headers[%d].Key", i), "String")
		}
		if name == "" {
			return nil, protocol.InvalidData("Null or empty key in header.")
		}
		value, err := r.string()
		if err != nil {
			return nil, readError(fmt.Sprintf("headers[%d].Value", i), "String")
		}
		if value == "" {
			return nil, protocol.InvalidData("Null or empty value in header.")
		}
		if _, ok := headers[name]; ok {
			return nil, &protocol.DataError{Name: "ArgumentException", Text: "An item with the same key has already been added. Key: " + name}
		}
		headers[name] = value
	}
	return headers, nil
}

func (r *reader) streamIDs() ([]string, error) {
	count, err := r.array()
	if err != nil {
		return nil, protocol.InvalidData("Reading array length for 'streamIds' failed.")
	}
	if count == 0 {
		return nil, nil
	}
	ids := make([]string, count)
	for i := range ids {
		if ids[i], err = r.string(); err != nil {
			return nil, bareError(err)
		}
		if ids[i] == "" {
			return nil, protocol.InvalidData("Null or empty value in streamIds received.")
		}
	}
	return ids, nil
}

// field reads a string, or nil as "", that error texts call name.
func (r *reader) field(name string) (string, error) {
	s, err := r.string()
	if err != nil {
		return "", readError(name, "String")
	}
	return s, nil
}

// string reads a string, or nil as "".
func (r *reader) string() (string, error) {
	if r.skipNil() {
		return "", nil
	}
	b, err := r.text()
	if err != nil {
		return "", err
	}
	return dotnet.ValidString(b), nil
}

// name reads a string that is likely to be known.
func (r *reader) name(known *names.Table) (string, error) {
	if r.skipNil() {
		return "", nil
	}
	b, err := r.text()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return dotnet.ValidString(b), nil
	}
	return known.String(b), nil
}

// readError returns the error of a field of the message that is not of the type it must be of (F-076).
func readError(field, typeName string) error {
	return protocol.InvalidData("Reading '" + field + "' as " + typeName + " failed.")
}

// bareError returns err, which the reference does not wrap, as an error of the message.
func bareError(err error) error {
	name := "MessagePackSerializationException"
	if errors.Is(err, errEnd) {
		name = "EndOfStreamException"
	}
	return &protocol.DataError{Name: name, Text: err.Error()}
}
