// Package wire replays recorded conversations with a SignalR server, byte for byte, and reports the first
// difference.
//
// A [Transcript] is one scenario of the JSON hub protocol over any transport: what a client sends and what the
// server answered when it was recorded. A [FrameVector] and a [Conversation] are recordings of the MessagePack hub
// protocol over WebSockets. A [Replayer] plays them against one server.
//
// The replayer speaks HTTP/1.1, WebSockets (RFC 6455) and server-sent events over plain TCP itself, because it must
// see the bytes as they come and must be able to send what no well-behaved client would.
//
// README.md beside the sources describes the format of the recordings and how the tests of this package run them.
package wire
