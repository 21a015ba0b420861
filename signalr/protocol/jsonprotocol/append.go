package jsonprotocol

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"signalbox/signalr/protocol"
)

// Append implements [protocol.HubProtocol].
func (p *Protocol) Append(dst []byte, m protocol.Message) ([]byte, error) {
	out, err := p.appendMessage(dst, m)
	if err != nil {
		return dst, fmt.Errorf("writing a JSON message of type %d: %w", m.Type(), err)
	}
	return append(out, '}', recordSeparator), nil
}

// appendMessage appends m without its closing brace, the properties in the reference's order.
func (p *Protocol) appendMessage(dst []byte, m protocol.Message) ([]byte, error) {
	dst = append(dst, `{"type":`...)
	dst = strconv.AppendInt(dst, int64(m.Type()), 10)
	var err error
	switch m := m.(type) {
	case *protocol.Invocation:
		dst = appendHead(dst, m.Headers, m.InvocationID)
		dst = append(dst, `,"target":`...)
		dst = appendString(dst, m.Target)
		dst = append(dst, `,"arguments":[`...)
		for i, a := range m.Arguments {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = p.appendValue(dst, a, 2); err != nil {
				return dst, fmt.Errorf("argument %d of %s: %w", i, m.Target, err)
			}
		}
		dst = append(dst, ']')
		if len(m.StreamIDs) > 0 {
			dst = append(dst, `,"streamIds":[`...)
			for i, id := range m.StreamIDs {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = appendString(dst, id)
			}
			dst = append(dst, ']')
		}
	case *protocol.StreamItem:
		dst = appendHead(dst, m.Headers, m.InvocationID)
		dst, err = p.appendValue(append(dst, `,"item":`...), m.Item, 1)
	case *protocol.Completion:
		dst = appendHead(dst, m.Headers, m.InvocationID)
		switch {
		case m.Error != "":
			dst = appendString(append(dst, `,"error":`...), m.Error)
		case !m.HasResult:
		case len(m.RawResult) > 0:
			dst = append(append(dst, `,"result":`...), m.RawResult...)
		default:
			dst, err = p.appendValue(append(dst, `,"result":`...), m.Result, 1)
		}
	case *protocol.CancelInvocation:
		dst = appendHead(dst, m.Headers, m.InvocationID)
	case *protocol.Ping:
	case *protocol.Close:
		if m.Error != "" {
			dst = appendString(append(dst, `,"error":`...), m.Error)
		}
		if m.AllowReconnect {
			dst = append(dst, `,"allowReconnect":true`...)
		}
	case *protocol.Ack:
		dst = appendSequenceID(dst, m.SequenceID)
	case *protocol.Sequence:
		dst = appendSequenceID(dst, m.SequenceID)
	default:
		err = fmt.Errorf("unknown message %T", m)
	}
	return dst, err
}

// appendHead appends the properties that most messages begin with. Headers are sorted, so that equal messages are equal
// bytes.
func appendHead(dst []byte, headers protocol.Headers, invocationID string) []byte {
	if len(headers) > 0 {
		dst = append(dst, `,"headers":{`...)
		for i, name := range slices.Sorted(maps.Keys(headers)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, name), ':')
			dst = appendString(dst, headers[name])
		}
		dst = append(dst, '}')
	}
	if invocationID != "" {
		dst = appendString(append(dst, `,"invocationId":`...), invocationID)
	}
	return dst
}

func appendSequenceID(dst []byte, id int64) []byte {
	return strconv.AppendInt(append(dst, `,"sequenceId":`...), id, 10)
}
