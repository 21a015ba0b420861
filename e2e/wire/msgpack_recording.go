package wire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// FrameVector is one input of the MessagePack hub protocol and what a server makes of it.
type FrameVector struct {
	// Name is unique among the vectors.
	Name string
	// Sent are the bytes that the client sends in one binary message behind a good handshake.
	Sent []byte
	// Answer is what the server sends back, DetailedAnswer the same with detailed errors; both may be empty.
	Answer, DetailedAnswer []byte
	// After is "alive" when the connection goes on, "stalled" when the server waits for the rest of a message, or how
	// it is closed, as `closed 1000 ""`.
	After string
}

// Conversation is a recorded sequence of messages of the MessagePack hub protocol.
type Conversation struct {
	// Name is unique among the conversations, About one sentence.
	Name, About string
	// Options are the options of the server, as in [Transcript].
	Options string
	// Events happen in order.
	Events []ConversationEvent
}

// ConversationEvent is one line of a conversation.
type ConversationEvent struct {
	// Sign is ">" for a binary message of the client, ">t" for a text message, "<" for a message of the server and "x"
	// for the end.
	Sign string
	// Data are the bytes of a message.
	Data []byte
	// End is "still open", or how the connection is closed, as `close 1000 ""`.
	End string
}

// ParseFrameVectors reads vectors: one a line, the columns separated by TAB, comment lines starting with #.
func ParseFrameVectors(text string) ([]FrameVector, error) {
	var vectors []FrameVector
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) < 5 {
			return nil, fmt.Errorf("line %d: %d columns instead of at least 5", i+1, len(columns))
		}
		v := FrameVector{Name: columns[0], After: columns[4]}
		for to, column := range map[*[]byte]string{&v.Sent: columns[1], &v.Answer: columns[2], &v.DetailedAnswer: columns[3]} {
			data, err := parseHexColumn(column)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			*to = data
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// ParseConversations reads conversations: a line "@ name TAB options TAB description", then one line an event.
func ParseConversations(text string) ([]Conversation, error) {
	var conversations []Conversation
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if name, ok := strings.CutPrefix(columns[0], "@ "); ok && len(columns) == 3 {
			c := Conversation{Name: name, About: columns[2]}
			if columns[1] != "-" {
				c.Options = columns[1]
			}
			conversations = append(conversations, c)
			continue
		}
		if len(columns) < 2 || len(conversations) == 0 {
			return nil, fmt.Errorf("line %d: %q is no event", i+1, line)
		}
		e := ConversationEvent{Sign: columns[0]}
		switch e.Sign {
		case ">", ">t", "<":
			var err error
			if e.Data, err = parseHexColumn(columns[1]); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		case "x":
			e.End = columns[1]
		default:
			return nil, fmt.Errorf("line %d: unknown sign %q", i+1, e.Sign)
		}
		c := &conversations[len(conversations)-1]
		c.Events = append(c.Events, e)
	}
	return conversations, nil
}

// parseHexColumn reads bytes given as tokens with a space between: plain hex, or xx*n for n times the byte xx.
// Both "-" and `""` stand for no bytes.
func parseHexColumn(column string) ([]byte, error) {
	if column == "-" || column == `""` {
		return nil, nil
	}
	var data []byte
	for token := range strings.SplitSeq(column, " ") {
		digits, times, repeated := strings.Cut(token, "*")
		piece, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("hex %q: %w", token, err)
		}
		n := 1
		if repeated {
			if n, err = strconv.Atoi(times); err != nil {
				return nil, fmt.Errorf("repetition %q: %w", token, err)
			}
		}
		for range n {
			data = append(data, piece...)
		}
	}
	return data, nil
}
