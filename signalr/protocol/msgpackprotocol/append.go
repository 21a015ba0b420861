package msgpackprotocol

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/signalr/protocol"
)

// Append implements [protocol.HubProtocol]. The arrays have the lengths that the reference writes.
func (p *Protocol) Append(dst []byte, m protocol.Message) ([]byte, error) {
	out, err := p.appendMessage(dst, m)
	if err != nil {
		return dst, fmt.Errorf("writing a MessagePack message of type %d: %w", m.Type(), err)
	}
	return appendLength(out, len(dst)), nil
}

// appendMessage appends m without its length.
func (p *Protocol) appendMessage(dst []byte, m protocol.Message) (_ []byte, err error) {
	t := byte(m.Type())
	switch m := m.(type) {
	case *protocol.Invocation:
		dst = appendHeaders(append(dst, 0x96, t), m.Headers)
		if m.InvocationID == "" {
			dst = append(dst, codeNil)
		} else {
			dst = appendString(dst, m.InvocationID)
		}
		dst = appendArray(appendString(dst, m.Target), len(m.Arguments))
		for i, a := range m.Arguments {
			if dst, err = p.appendValue(dst, a); err != nil {
				return dst, fmt.Errorf("argument %d of %s: %w", i, m.Target, err)
			}
		}
		dst = appendArray(dst, len(m.StreamIDs))
		for _, id := range m.StreamIDs {
			dst = appendString(dst, id)
		}
	case *protocol.StreamItem:
		dst = appendHeaders(append(dst, 0x94, t), m.Headers)
		dst, err = p.appendValue(appendString(dst, m.InvocationID), m.Item)
	case *protocol.Completion:
		return p.appendCompletion(dst, m)
	case *protocol.CancelInvocation:
		dst = appendHeaders(append(dst, 0x93, t), m.Headers)
		dst = appendString(dst, m.InvocationID)
	case *protocol.Ping:
		dst = append(dst, 0x91, t)
	case *protocol.Close:
		dst = append(dst, 0x93, t)
		if m.Error == "" {
			dst = append(dst, codeNil)
		} else {
			dst = appendString(dst, m.Error)
		}
		dst = appendBool(dst, m.AllowReconnect)
	case *protocol.Ack:
		dst = appendInt(append(dst, 0x92, t), m.SequenceID)
	case *protocol.Sequence:
		dst = appendInt(append(dst, 0x92, t), m.SequenceID)
	default:
		err = fmt.Errorf("unknown message %T", m)
	}
	return dst, err
}

func (p *Protocol) appendCompletion(dst []byte, m *protocol.Completion) ([]byte, error) {
	kind, elements := byte(kindVoid), byte(0x94)
	switch {
	case m.Error != "" || m.HasError:
		kind, elements = kindError, 0x95
	case m.HasResult:
		kind, elements = kindResult, 0x95
	}
	dst = appendHeaders(append(dst, elements, byte(protocol.CompletionType)), m.Headers)
	dst = append(appendString(dst, m.InvocationID), kind)
	switch {
	case kind == kindError:
		return appendString(dst, m.Error), nil
	case kind == kindVoid:
		return dst, nil
	case len(m.RawResult) > 0:
		return append(dst, m.RawResult...), nil
	default:
		return p.appendValue(dst, m.Result)
	}
}

// appendHeaders appends the map of headers, sorted so that equal messages are equal bytes.
func appendHeaders(dst []byte, headers protocol.Headers) []byte {
	dst = appendMap(dst, len(headers))
	if len(headers) == 0 {
		return dst
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		dst = appendString(appendString(dst, name), headers[name])
	}
	return dst
}
