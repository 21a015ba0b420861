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
	msg protocol.Message

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
	f, err := encodeFrame(p, s.msg)
	s.enc = append(s.enc, encoding{p, f, err})
	return f, err
}

// encodeFrame encodes and frames m. A value whose own code panics is an error: the goroutine may be the server's.
func encodeFrame(p protocol.HubProtocol, m protocol.Message) (f httpconn.Frame, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("encoding a message for protocol %q: %w", p.Name(), &panicError{v})
		}
	}()
	buf, err := p.Append(make([]byte, httpconn.FrameRoom, 128), m)
	if err != nil {
		return httpconn.Frame{}, fmt.Errorf("encoding a message for protocol %q: %w", p.Name(), err)
	}
	return httpconn.FinishFrame(p.TransferFormat(), buf), nil
}
