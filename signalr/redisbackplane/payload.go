package redisbackplane

import (
	"errors"
	"fmt"

	"github.com/tinylib/msgp/msgp"

	"signalbox/signalr"
)

// What goes through Redis is MessagePack without framing (F-166 to F-175). All numbers and headers are written in their
// smallest form; others are read as well. What is behind the elements that are known is ignored, and so is a larger
// count of elements.

// invocation is the payload of the channels all, connection, group and user (F-166).
type invocation struct {
	Excluded []string
	Blobs    []signalr.EncodedMessage
	// InvocationID and ReturnChannel are set when a result is wanted.
	InvocationID, ReturnChannel string
}

func (v *invocation) append(b []byte) []byte {
	n := uint32(2)
	if v.InvocationID != "" {
		n = 4
	}
	b = msgp.AppendArrayHeader(b, n)
	b = appendStrings(b, v.Excluded)
	b = msgp.AppendMapHeader(b, uint32(len(v.Blobs)))
	for _, e := range v.Blobs {
		b = msgp.AppendString(b, e.Protocol)
		b = msgp.AppendBytes(b, e.Data)
	}
	if n == 4 {
		b = msgp.AppendString(b, v.InvocationID)
		b = msgp.AppendString(b, v.ReturnChannel)
	}
	return b
}

// size is about how long the payload is.
func (v *invocation) size() int {
	n := 32 + len(v.InvocationID) + len(v.ReturnChannel)
	for _, id := range v.Excluded {
		n += 5 + len(id)
	}
	for _, e := range v.Blobs {
		n += 10 + len(e.Protocol) + len(e.Data)
	}
	return n
}

// parseInvocation reads an invocation. The blobs share the memory of b.
func parseInvocation(b []byte) (v invocation, err error) {
	n, b, err := header("Invocation", b, 2)
	if err != nil {
		return v, err
	}
	if v.Excluded, b, err = readStrings(b); err != nil {
		return v, fmt.Errorf("reading the excluded ids: %w", err)
	}
	count, b, err := msgp.ReadMapHeaderBytes(b)
	if err != nil {
		return v, fmt.Errorf("reading the messages: %w", err)
	}
	for range count {
		var e signalr.EncodedMessage
		if e.Protocol, b, err = msgp.ReadStringBytes(b); err == nil {
			e.Data, b, err = readBlob(b)
		}
		if err != nil {
			return v, fmt.Errorf("reading the messages: %w", err)
		}
		v.Blobs = append(v.Blobs, e)
	}
	if n < 4 {
		return v, nil
	}
	if v.InvocationID, b, err = readText(b); err == nil {
		v.ReturnChannel, _, err = readText(b)
	}
	if err != nil {
		return v, fmt.Errorf("reading where the result goes: %w", err)
	}
	return v, nil
}

// The actions of a groupCommand.
const (
	actionAdd    = 1
	actionRemove = 2
)

// groupCommand is the payload of internal:groups (F-170).
type groupCommand struct {
	ID                  int32
	Server              string
	Action              uint8
	Group, ConnectionID string
}

func (c *groupCommand) append(b []byte) []byte {
	b = msgp.AppendArrayHeader(b, 5)
	b = appendInt(b, c.ID)
	b = msgp.AppendString(b, c.Server)
	b = msgp.AppendUint8(b, c.Action)
	b = msgp.AppendString(b, c.Group)
	return msgp.AppendString(b, c.ConnectionID)
}

func parseGroupCommand(b []byte) (c groupCommand, err error) {
	_, b, err = header("GroupCommand", b, 5)
	if err != nil {
		return c, err
	}
	if c.ID, b, err = msgp.ReadInt32Bytes(b); err == nil {
		c.Server, b, err = msgp.ReadStringBytes(b)
	}
	if err == nil {
		c.Action, b, err = msgp.ReadUint8Bytes(b)
	}
	if err == nil {
		c.Group, b, err = msgp.ReadStringBytes(b)
	}
	if err == nil {
		c.ConnectionID, _, err = msgp.ReadStringBytes(b)
	}
	return c, err
}

// appendAck appends the payload of internal:ack:{server} (F-171).
func appendAck(b []byte, id int32) []byte { return appendInt(msgp.AppendArrayHeader(b, 1), id) }

func parseAck(b []byte) (int32, error) {
	_, b, err := header("Ack", b, 1)
	if err != nil {
		return 0, err
	}
	id, _, err := msgp.ReadInt32Bytes(b)
	return id, err
}

// appendCompletion appends the payload of internal:return:{server}, whose blob is a framed Completion (F-175).
func appendCompletion(b []byte, e signalr.EncodedMessage) []byte {
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendString(b, e.Protocol)
	return msgp.AppendBytes(b, e.Data)
}

func parseCompletion(b []byte) (e signalr.EncodedMessage, err error) {
	_, b, err = header("Completion", b, 2)
	if err != nil {
		return e, err
	}
	if e.Protocol, b, err = msgp.ReadStringBytes(b); err == nil {
		e.Data, _, err = readBlob(b)
	}
	return e, err
}

// header reads the header of an array that has at least so many elements.
func header(what string, b []byte, least uint32) (n uint32, rest []byte, err error) {
	n, rest, err = msgp.ReadArrayHeaderBytes(b)
	if err != nil {
		return 0, b, fmt.Errorf("reading a payload: %w", err)
	}
	if n < least {
		return 0, b, errors.New("Insufficient items in " + what + " array.")
	}
	return n, rest, nil
}

func appendStrings(b []byte, list []string) []byte {
	b = msgp.AppendArrayHeader(b, uint32(len(list)))
	for _, s := range list {
		b = msgp.AppendString(b, s)
	}
	return b
}

// readStrings takes memory for what is there, not for what the header announces.
func readStrings(b []byte) (list []string, rest []byte, err error) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	for range n {
		var s string
		if s, b, err = msgp.ReadStringBytes(b); err != nil {
			return nil, b, err
		}
		list = append(list, s)
	}
	return list, b, err
}

// readBlob reads bin, or a str of up to 31 bytes, as .NET's reader does.
func readBlob(b []byte) (blob, rest []byte, err error) {
	if len(b) > 0 && b[0] >= 0xA0 && b[0] <= 0xBF {
		return msgp.ReadStringZC(b)
	}
	return msgp.ReadBytesZC(b)
}

// readText reads a str; nil is an empty one.
func readText(b []byte) (s string, rest []byte, err error) {
	if msgp.IsNil(b) {
		rest, err = msgp.ReadNilBytes(b)
		return "", rest, err
	}
	return msgp.ReadStringBytes(b)
}

// appendInt writes the smallest form, which for numbers from zero up is one without sign.
func appendInt(b []byte, n int32) []byte {
	if n >= 0 {
		return msgp.AppendUint32(b, uint32(n))
	}
	return msgp.AppendInt32(b, n)
}
