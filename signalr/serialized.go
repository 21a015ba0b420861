package signalr

import (
	"fmt"
	"sync"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// SerializedMessage is a message that is encoded once per protocol and framed once, however many connections get it
// (F-142). It is safe for concurrent use and does not change.
//
// ASP.NET Core: SerializedHubMessage.
type SerializedMessage struct {
	msg     protocol.Message // nil if it is encoded already
	encoded []EncodedMessage

	mu  sync.Mutex
	enc []encoding
}

type encoding struct {
	proto protocol.HubProtocol
	frame httpconn.Frame
	err   error
}

// NewSerializedMessage returns m, to be encoded when it is first needed.
func NewSerializedMessage(m protocol.Message) *SerializedMessage { return &SerializedMessage{msg: m} }

// EncodedMessage is a message as one protocol writes it, framed.
//
// ASP.NET Core: SerializedMessage.
type EncodedMessage struct {
	// Protocol is the name of the protocol, byte for byte.
	Protocol string
	// Data must not be changed.
	Data []byte
}

// NewEncodedMessage returns a message that another server has encoded, once for each of its protocols. It is sent as it
// is, whatever the bytes say; a connection whose protocol is not among them is closed with an error (F-167).
func NewEncodedMessage(encodings ...EncodedMessage) *SerializedMessage {
	return &SerializedMessage{encoded: encodings}
}

// Message returns what is sent, or nil for a message of [NewEncodedMessage]. It must not be changed.
func (s *SerializedMessage) Message() protocol.Message { return s.msg }

// errProtocolMissing is why a connection is closed for which another server has sent nothing (F-167).
var errProtocolMissing error = &namedError{"InvalidOperationException",
	"This message was received from another server that did not have the requested protocol available."}

// Bytes returns the message as p writes it, framed. The bytes must not be changed.
func (s *SerializedMessage) Bytes(p protocol.HubProtocol) ([]byte, error) {
	f, err := s.frame(p)
	if err != nil {
		return nil, err
	}
	return f.Payload(), nil
}

func (s *SerializedMessage) frame(p protocol.HubProtocol) (httpconn.Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.enc {
		if s.enc[i].proto == p {
			return s.enc[i].frame, s.enc[i].err
		}
	}
	f, err := s.encode(p)
	s.enc = append(s.enc, encoding{p, f, err})
	return f, err
}

func (s *SerializedMessage) encode(p protocol.HubProtocol) (httpconn.Frame, error) {
	if s.msg != nil {
		return encodeFrame(p, s.msg)
	}
	for _, e := range s.encoded {
		if e.Protocol == p.Name() {
			return httpconn.NewFrame(p.TransferFormat(), e.Data), nil
		}
	}
	return httpconn.Frame{}, errProtocolMissing
}

// roomFor guesses how long a message will be, so that most buffers need not grow.
func roomFor(m protocol.Message) int {
	const envelope = 128
	switch m := m.(type) {
	case *protocol.Completion:
		text, _ := m.Result.(string)
		return envelope + len(text)
	case *protocol.Invocation:
		n := envelope
		for _, arg := range m.Arguments {
			text, _ := arg.(string)
			n += len(text)
		}
		return n
	}
	return envelope
}

// encodeFrame encodes and frames m. A value whose own code panics is an error: the goroutine may be the server's.
func encodeFrame(p protocol.HubProtocol, m protocol.Message) (f httpconn.Frame, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("encoding a message for protocol %q: %w", p.Name(), &panicError{v})
		}
	}()
	buf, err := p.Append(make([]byte, httpconn.FrameRoom, roomFor(m)), m)
	if err != nil {
		return httpconn.Frame{}, fmt.Errorf("encoding a message for protocol %q: %w", p.Name(), err)
	}
	return httpconn.FinishFrame(p.TransferFormat(), buf), nil
}
