package jsonprotocol

import (
	"strconv"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/internal/names"
)

// envelope is what the properties of a message say, whatever its type. Later properties replace earlier ones.
type envelope struct {
	known          *names.Table // targets are likely to be
	typ            int32
	hasType        bool
	invocationID   string
	hasID          bool
	target         string
	hasTarget      bool
	text           string // of the property error
	hasError       bool
	allowReconnect bool
	sequenceID     int64
	hasSequenceID  bool
	arguments      []byte
	item           []byte
	result         []byte
	streamIDs      []string
	headers        protocol.Headers
}

// parseMessage reads the message that record holds. What stands behind its closing brace is ignored.
func parseMessage(record []byte, known *names.Table) (protocol.Message, error) {
	e := envelope{known: known}
	if err := e.read(record); err != nil {
		return nil, err
	}
	return e.message()
}

// read reads the properties of the message. The first fault in the order of the text is the one reported, be it one
// of syntax or of type, as by the reference.
func (e *envelope) read(b []byte) error {
	i := skipSpace(b, 0)
	if i == len(b) {
		return errSyntax()
	}
	if b[i] != '{' {
		name := tokenName(b[i])
		if name != "Array" && skipScalar(b, i) < 0 {
			return errSyntax()
		}
		return protocol.InvalidData("Unexpected JSON Token Type '" + name + "'. Expected a JSON Object.")
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return nil
	}
	for {
		token, flags, next := scanName(b, i)
		if i = next; i < 0 {
			return errSyntax()
		}
		name := token[1 : len(token)-1]
		var err error
		if flags&hasEscape != 0 { // a name without escapes need not be text: it is compared byte by byte
			if name, err = appendUnquoted(nil, name); err != nil {
				return err
			}
		}
		if i = skipSpace(b, i); i == len(b) {
			return errSyntax()
		}
		if i, err = e.property(name, b, i); err != nil {
			return err
		}
		if i = skipSpace(b, i); i == len(b) {
			return errSyntax()
		}
		switch b[i] {
		case ',':
			i++
		case '}':
			return nil
		default:
			return errSyntax()
		}
	}
}

// property reads the value of the property name, which starts at b[i], and returns the place behind it.
func (e *envelope) property(name, b []byte, i int) (end int, err error) {
	switch string(name) {
	case "type":
		var n int64
		n, end, err = readInt(b, i, "type", 32)
		e.typ, e.hasType = int32(n), true
	case "invocationId":
		e.invocationID, end, err = readString(b, i, "invocationId")
		e.hasID = true
	case "target":
		e.target, end, err = e.readTarget(b, i)
		e.hasTarget = true
	case "arguments":
		if b[i] != '[' {
			return 0, errType(b, i, "Expected 'arguments' to be of type Array.")
		}
		e.arguments, end, err = readRaw(b, i)
	case "item":
		e.item, end, err = readRaw(b, i)
	case "result":
		e.result, end, err = readRaw(b, i)
	case "error":
		e.text, end, err = readString(b, i, "error")
		e.hasError = true
	case "allowReconnect":
		if end = skipScalar(b, i); end < 0 || b[i] != 't' && b[i] != 'f' {
			return 0, errType(b, i, "Expected 'allowReconnect' to be true or false.")
		}
		e.allowReconnect = b[i] == 't'
	case "sequenceId":
		if b[i] == 'n' { // as good as absent to the reference
			e.hasSequenceID = false
			_, end, err = readRaw(b, i)
			return end, err
		}
		e.sequenceID, end, err = readInt(b, i, "sequenceId", 64)
		e.hasSequenceID = true
	case "streamIds":
		e.streamIDs, end, err = readStreamIDs(b, i)
	case "headers":
		e.headers, end, err = readHeaders(b, i)
	default:
		if end = skipValue(b, i, 1); end < 0 {
			return 0, errSyntax()
		}
	}
	return end, err
}

// message makes the message of the properties (F-065 to F-070).
func (e *envelope) message() (protocol.Message, error) {
	if !e.hasType {
		return nil, errMissing("type")
	}
	switch t := protocol.Type(e.typ); t {
	case protocol.InvocationType, protocol.StreamInvocationType:
		switch {
		case !e.hasTarget:
			return nil, errMissing("target")
		case t == protocol.StreamInvocationType && e.invocationID == "":
			return nil, errMissing("invocationId")
		case e.arguments == nil && e.target == "":
			return nil, errMissing("target")
		case e.arguments == nil:
			return nil, errMissing("arguments")
		}
		return &protocol.Invocation{
			Headers:      e.headers,
			InvocationID: e.invocationID,
			Target:       e.target,
			RawArguments: e.arguments,
			StreamIDs:    e.streamIDs,
			Stream:       t == protocol.StreamInvocationType,
		}, nil
	case protocol.StreamItemType:
		switch {
		case !e.hasID, e.invocationID == "" && e.item == nil:
			return nil, errMissing("invocationId")
		case e.item == nil:
			return nil, errMissing("item")
		case e.invocationID == "":
			// The reference looks for a stream without a name and gives up.
			return nil, &protocol.DataError{Name: "KeyNotFoundException", Text: "No stream with id '' could be found."}
		}
		return &protocol.StreamItem{Headers: e.headers, InvocationID: e.invocationID, RawItem: e.item}, nil
	case protocol.CompletionType:
		switch {
		case e.invocationID == "":
			return nil, errMissing("invocationId")
		case e.hasError && e.result != nil:
			return nil, protocol.InvalidData("The 'error' and 'result' properties are mutually exclusive.")
		}
		return &protocol.Completion{
			Headers:      e.headers,
			InvocationID: e.invocationID,
			Error:        e.text,
			HasError:     e.hasError,
			HasResult:    e.result != nil,
			RawResult:    e.result,
		}, nil
	case protocol.CancelInvocationType:
		if e.invocationID == "" {
			return nil, errMissing("invocationId")
		}
		return &protocol.CancelInvocation{Headers: e.headers, InvocationID: e.invocationID}, nil
	case protocol.PingType:
		return &protocol.Ping{}, nil
	case protocol.CloseType:
		return &protocol.Close{Error: e.text, AllowReconnect: e.allowReconnect}, nil
	case protocol.AckType, protocol.SequenceType:
		if !e.hasSequenceID {
			return nil, errMissing("sequenceId")
		}
		if t == protocol.AckType {
			return &protocol.Ack{SequenceID: e.sequenceID}, nil
		}
		return &protocol.Sequence{SequenceID: e.sequenceID}, nil
	default:
		return nil, nil // a type of a later version of the protocol is skipped (F-071)
	}
}

// readRaw returns the value of a property at b[i] as it stands there.
func readRaw(b []byte, i int) (raw []byte, end int, err error) {
	if end = skipValue(b, i, 1); end < 0 {
		return nil, 0, errSyntax()
	}
	return b[i:end:end], end, nil
}

// readString reads the string at b[i], the value of the property name.
func readString(b []byte, i int, name string) (text string, end int, err error) {
	if b[i] != '"' {
		return "", 0, errType(b, i, "Expected '"+name+"' to be of type String.")
	}
	end, flags := scanString(b, i)
	if end < 0 {
		return "", 0, errSyntax()
	}
	text, err = unquote(b[i:end], flags)
	return text, end, err
}

// readTarget is readString for the name of a method, which usually is all ASCII.
func (e *envelope) readTarget(b []byte, i int) (text string, end int, err error) {
	if b[i] == '"' {
		if end, flags := scanString(b, i); end >= 0 && flags&(hasEscape|hasHigh) == 0 {
			return e.known.String(b[i+1 : end-1]), end, nil
		}
	}
	return readString(b, i, "target")
}

// readInt reads the integer at b[i], the value of the property name.
func readInt(b []byte, i int, name string, bits int) (n int64, end int, err error) {
	if b[i] != '-' && b[i]-'0' > 9 {
		return 0, 0, errType(b, i, "Expected '"+name+"' to be of type Number.")
	}
	if end = skipNumber(b, i); end < 0 || end == len(b) {
		return 0, 0, errSyntax()
	}
	if n, err = strconv.ParseInt(string(b[i:end]), 10, bits); err != nil {
		return 0, 0, &protocol.DataError{
			Name: "FormatException",
			Text: "Either the JSON value is not in a supported format, or is out of bounds for an Int" + strconv.Itoa(bits) + ".",
		}
	}
	return n, end, nil
}

// readStreamIDs reads the array of strings at b[i].
func readStreamIDs(b []byte, i int) (ids []string, end int, err error) {
	if b[i] != '[' {
		return nil, 0, errType(b, i, "Expected 'streamIds' to be of type Array.")
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
		return nil, i + 1, nil
	}
	for {
		if i = skipSpace(b, i); i == len(b) {
			return nil, 0, errSyntax()
		}
		if b[i] != '"' {
			return nil, 0, errStreamID(b, i)
		}
		end, flags := scanString(b, i)
		if end < 0 {
			return nil, 0, errSyntax()
		}
		id, err := unquote(b[i:end], flags)
		if err != nil {
			return nil, 0, err
		}
		ids = append(ids, id)
		if i = skipSpace(b, end); i == len(b) {
			return nil, 0, errSyntax()
		}
		switch b[i] {
		case ',':
			i++
		case ']':
			return ids, i + 1, nil
		default:
			return nil, 0, errSyntax()
		}
	}
}

// readHeaders reads the object of strings at b[i].
func readHeaders(b []byte, i int) (headers protocol.Headers, end int, err error) {
	if b[i] != '{' {
		return nil, 0, errType(b, i, "Expected 'headers' to be of type StartObject.")
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return nil, i + 1, nil
	}
	headers = protocol.Headers{}
	for {
		token, flags, next := scanName(b, i)
		if i = next; i < 0 {
			return nil, 0, errSyntax()
		}
		name, err := unquote(token, flags)
		if err != nil {
			return nil, 0, err
		}
		if i = skipSpace(b, i); i == len(b) {
			return nil, 0, errSyntax()
		}
		if b[i] != '"' {
			return nil, 0, errType(b, i, "Expected header '"+name+"' to be of type String.")
		}
		if end, flags = scanString(b, i); end < 0 {
			return nil, 0, errSyntax()
		}
		if headers[name], err = unquote(b[i:end], flags); err != nil {
			return nil, 0, err
		}
		if i = skipSpace(b, end); i == len(b) {
			return nil, 0, errSyntax()
		}
		switch b[i] {
		case ',':
			i++
		case '}':
			return headers, i + 1, nil
		default:
			return nil, 0, errSyntax()
		}
	}
}
