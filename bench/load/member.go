package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// memberTimeout is how long a [Member] waits for one message.
const memberTimeout = 20 * time.Second

// Member is a connection that does one thing after the other and reads what it gets, for scenarios that count single
// messages. It speaks JSON over a WebSocket, and pings nobody. It is for one goroutine.
type Member struct {
	dialed *dialed
	stop   func() bool
	calls  int
	unread []memberMessage
}

// memberMessage is a hub message that a member gets.
type memberMessage struct {
	Type         int             `json:"type"`
	InvocationID string          `json:"invocationId"`
	Target       string          `json:"target"`
	Result       json.RawMessage `json:"result"`
	Error        string          `json:"error"`
}

// Types of hub messages.
const (
	typeInvocation = 1
	typeCompletion = 3
	typeClose      = 7
)

// Join opens a connection and shakes hands. It is lost when ctx ends; the caller closes it.
func Join(ctx context.Context, t Target) (*Member, error) {
	t.Dialect = "json"
	if err := t.complete(); err != nil {
		return nil, err
	}
	if t.Transport != WebSockets {
		return nil, fmt.Errorf("load: a member does not use %s", t.Transport)
	}
	d, err := t.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: joining: %w", err)
	}
	return &Member{dialed: d, stop: context.AfterFunc(ctx, d.close)}, nil
}

// Close ends the connection.
func (m *Member) Close() {
	m.stop()
	m.dialed.close()
}

// Call invokes a hub method. [Member.Result] is to be called for what it returns.
func (m *Member) Call(target string, args ...string) error {
	m.calls++
	if err := m.write(jsonHub{}.invoke(m.calls-1, target, args...)); err != nil {
		return fmt.Errorf("load: calling %s: %w", target, err)
	}
	return nil
}

// Result waits for the end of the last call, and returns its result in JSON.
func (m *Member) Result() (json.RawMessage, error) {
	for i := 0; ; i++ {
		message, err := m.at(i)
		if err != nil {
			return nil, err
		}
		if message.Type != typeCompletion || message.InvocationID != strconv.Itoa(m.calls) {
			continue
		}
		m.unread = append(m.unread[:i], m.unread[i+1:]...)
		if message.Error != "" {
			return nil, fmt.Errorf("%w: %s", errRefused, message.Error)
		}
		return message.Result, nil
	}
}

// Invoke is [Member.Call] and [Member.Result].
func (m *Member) Invoke(target string, args ...string) (json.RawMessage, error) {
	if err := m.Call(target, args...); err != nil {
		return nil, err
	}
	return m.Result()
}

// Receive waits for n messages to a target, and for no other.
func (m *Member) Receive(n int, target string) error {
	for range n {
		message, err := m.at(0)
		if err != nil {
			return err
		}
		m.unread = m.unread[1:]
		if message.Type != typeInvocation || message.Target != target {
			return fmt.Errorf("load: a member waits for %s and gets %+v", target, message)
		}
	}
	return nil
}

// Answer waits until the client is asked for a result, and answers with one in JSON, as it stands there.
func (m *Member) Answer(target, result string) error {
	message, err := m.at(0)
	if err != nil {
		return err
	}
	m.unread = m.unread[1:]
	if message.Type != typeInvocation || message.Target != target || message.InvocationID == "" {
		return fmt.Errorf("load: a member waits to be asked %s and gets %+v", target, message)
	}
	answer := fmt.Appendf(nil, `{"type":3,"invocationId":%s,"result":%s}`, quote(message.InvocationID), result)
	if err := m.write(append(answer, recordSeparator)); err != nil {
		return fmt.Errorf("load: answering: %w", err)
	}
	return nil
}

func (m *Member) write(message []byte) error {
	if err := m.dialed.main.conn.SetDeadline(time.Now().Add(memberTimeout)); err != nil {
		return err
	}
	return m.dialed.send(message)
}

// at returns the message at a place behind what was read last, and waits for it.
func (m *Member) at(i int) (memberMessage, error) {
	for len(m.unread) <= i {
		if err := m.dialed.main.conn.SetDeadline(time.Now().Add(memberTimeout)); err != nil {
			return memberMessage{}, fmt.Errorf("load: waiting for a message: %w", err)
		}
		b, err := m.dialed.receive()
		if err != nil {
			return memberMessage{}, fmt.Errorf("load: waiting for a message: %w", err)
		}
		for part := range bytes.SplitSeq(b, []byte{recordSeparator}) {
			if len(part) == 0 {
				continue
			}
			var message memberMessage
			if err := json.Unmarshal(part, &message); err != nil {
				return memberMessage{}, fmt.Errorf("load: reading %.200q: %w", part, err)
			}
			switch message.Type {
			case typeClose:
				return memberMessage{}, errors.New("load: the server closed the connection: " + message.Error)
			case typeInvocation, typeCompletion:
				m.unread = append(m.unread, message)
			}
		}
	}
	return m.unread[i], nil
}
