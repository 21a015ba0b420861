// Package protocol holds the messages of the SignalR hub protocol, what a hub protocol has to do with them, and the
// handshake that comes first. How messages become bytes is the business of jsonprotocol and msgpackprotocol.
package protocol

// Type is the number of a message type on the wire (F-065 to F-069, F-073).
type Type int

// The message types of the hub protocol.
const (
	InvocationType       Type = 1
	StreamItemType       Type = 2
	CompletionType       Type = 3
	StreamInvocationType Type = 4
	CancelInvocationType Type = 5
	PingType             Type = 6
	CloseType            Type = 7
	AckType              Type = 8
	SequenceType         Type = 9
)

// Message is one of the messages of this package, always by pointer.
//
// ASP.NET Core: HubMessage.
type Message interface {
	// Type returns the number of the message on the wire.
	Type() Type
}

// RawValue is a value, or an array of arguments, as the connection's protocol encodes it: JSON text or MessagePack
// bytes. It stays so until the type that it has to become is known. A RawValue of a message that was read shares the
// memory of the bytes it was read from.
type RawValue []byte

// Headers are the text pairs that a message may carry (F-062). They mean nothing to a server but trace context.
type Headers map[string]string

// Invocation asks the other side to run a method: type 1, or type 4 when Stream is set.
//
// ASP.NET Core: InvocationMessage, StreamInvocationMessage.
type Invocation struct {
	Headers Headers
	// InvocationID names the call; empty means that no answer is wanted. A stream invocation must have one.
	InvocationID string
	Target       string
	// Arguments are the values to write. A message that was read has none: its values are in RawArguments.
	Arguments []any
	// RawArguments is the encoded array of arguments of a message that was read; nil when ArgumentsErr is set.
	RawArguments RawValue
	// ArgumentsErr says why the arguments of a message that was read cannot be had although the message itself is
	// sound (F-076). It fails the call and leaves the connection open.
	ArgumentsErr error
	// StreamIDs names the streams that the caller sends along (F-100).
	StreamIDs []string
	// Stream is set on type 4: the caller wants a stream of results.
	Stream bool
}

// Type returns [InvocationType], or [StreamInvocationType] when Stream is set.
func (m *Invocation) Type() Type {
	if m.Stream {
		return StreamInvocationType
	}
	return InvocationType
}

// StreamItem carries one item of a stream, in either direction.
//
// ASP.NET Core: StreamItemMessage.
type StreamItem struct {
	Headers Headers
	// InvocationID is the id of the invocation, or of the client's stream (F-101).
	InvocationID string
	// Item is the value to write.
	Item any
	// RawItem is the encoded value of a message that was read.
	RawItem RawValue
	// ItemErr is to an item what [Invocation.ArgumentsErr] is to arguments: the stream fails, the connection lives.
	ItemErr error
}

// Type returns [StreamItemType].
func (*StreamItem) Type() Type { return StreamItemType }

// Completion ends an invocation or a stream: with an error, a result, or neither.
//
// ASP.NET Core: CompletionMessage.
type Completion struct {
	Headers      Headers
	InvocationID string
	// Error is the text of a failure. HasError tells an empty text from none when a message was read (F-101);
	// writing needs only Error, or HasError with an empty text (F-068).
	Error    string
	HasError bool
	// HasResult says that there is a result, null included. It is the value of Result when the message is written
	// (unless RawResult is set, which is then written as it is), and RawResult when it was read.
	HasResult bool
	Result    any
	RawResult RawValue
	// ResultErr is to a result what [Invocation.ArgumentsErr] is to arguments.
	ResultErr error
}

// Type returns [CompletionType].
func (*Completion) Type() Type { return CompletionType }

// CancelInvocation asks the other side to stop a stream (F-098).
//
// ASP.NET Core: CancelInvocationMessage.
type CancelInvocation struct {
	Headers      Headers
	InvocationID string
}

// Type returns [CancelInvocationType].
func (*CancelInvocation) Type() Type { return CancelInvocationType }

// Ping shows that a side is alive (F-116, F-117).
//
// ASP.NET Core: PingMessage.
type Ping struct{}

// Type returns [PingType].
func (*Ping) Type() Type { return PingType }

// Close tells the other side that the connection ends (F-110).
//
// ASP.NET Core: CloseMessage.
type Close struct {
	// Error is why, or empty.
	Error string
	// AllowReconnect invites a client with automatic reconnect to come back.
	AllowReconnect bool
}

// Type returns [CloseType].
func (*Close) Type() Type { return CloseType }

// Ack acknowledges all messages up to SequenceID (F-130).
//
// ASP.NET Core: AckMessage.
type Ack struct{ SequenceID int64 }

// Type returns [AckType].
func (*Ack) Type() Type { return AckType }

// Sequence says which number the next message has after a connection was resumed (F-133, F-134).
//
// ASP.NET Core: SequenceMessage.
type Sequence struct{ SequenceID int64 }

// Type returns [SequenceType].
func (*Sequence) Type() Type { return SequenceType }
