package redisbackplane

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"signalbox/signalr"
)

// Options are the settings of a [Backplane]. But for HubName the zero value is ready.
type Options struct {
	// HubName is the hub's name in the names of channels. ASP.NET Core uses the full name of the hub's type, such as
	// "My.App.Hubs.ChatHub", with a plus sign before a nested type (F-162). All servers of a hub have the same, and no two
	// hubs on one Redis. It must be set.
	HubName string
	// ChannelPrefix stands in front of every channel's name, without a separator. It is StackExchange.Redis's
	// ChannelPrefix: not part of the names that payloads contain (F-174). Default: none.
	ChannelPrefix string
	// Timeout is how long Redis may take to answer, and to be connected to, before it counts as away. Default 5 s.
	Timeout time.Duration
	// AckTimeout is how long another server may take to add a connection to a group, or to remove it (F-172).
	// Default 30 s.
	AckTimeout time.Duration
	// ReconnectDelay is the longest pause between two attempts to connect; the first follows at once, the others after
	// pauses that double. Default 2 s.
	ReconnectDelay time.Duration
	// Sharded uses the sharded publish and subscribe of Redis Cluster 7. The hub's name then stands in braces in the names
	// of channels, which makes it their hash tag: all that a hub publishes lives in one shard. ASP.NET Core servers cannot
	// take part. Default false.
	Sharded bool
	// OnStateChange is told of each change of state, one after the other. It must return soon, and not call Close.
	// Default: nobody is.
	OnStateChange func(StateChange)
	// Logger gets what operators should know. Default: nothing is logged.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&o.Timeout, 5 * time.Second}, {&o.AckTimeout, 30 * time.Second}, {&o.ReconnectDelay, 2 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// validate finds settings that cannot be meant.
func (o Options) validate() error {
	switch {
	case o.HubName == "":
		return errors.New("HubName is empty")
	case o.Timeout < 0, o.AckTimeout < 0, o.ReconnectDelay < 0:
		return errors.New("Timeout, AckTimeout and ReconnectDelay must not be negative")
	}
	return nil
}

// State is what a [Backplane] knows of Redis.
type State uint8

// The states of a backplane.
const (
	// Connecting: Redis was not reached yet.
	Connecting State = iota
	// Connected: messages go through Redis, and every subscription is in place.
	Connected
	// Disconnected: Redis was lost, or a subscription is not back yet. Messages reach the connections of this server
	// alone. The backplane tries to connect again.
	Disconnected
	// Closed: [Backplane.Close] was called.
	Closed
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// StateChange is an event of a [Backplane].
type StateChange struct {
	// From and To are the states before and after.
	From, To State
	// Err is why Redis was lost or not reached; nil otherwise. Further attempts that fail are no change.
	Err error
}

// What sends fail with while Redis is not there. Test with [errors.Is].
var (
	// ErrBackplaneUnavailable: Redis is known to be away. A message was delivered on this server, and nowhere else; what
	// needs another server was not done.
	ErrBackplaneUnavailable = errors.New("the Redis backplane is not available")
	// ErrOutcomeUnknown: Redis was lost, or did not answer in time, after the message went out to it. It may have reached
	// every server or none; it was not delivered by this server itself.
	ErrOutcomeUnknown = errors.New("the Redis backplane was lost meanwhile: the outcome is unknown")
)

// goneError is a [signalr.ErrConnectionClosed] with the reference's text and name (F-107).
type goneError struct{ text string }

func (e *goneError) Error() string        { return e.text }
func (e *goneError) ErrorName() string    { return "IOException" }
func (e *goneError) Is(target error) bool { return target == signalr.ErrConnectionClosed }

// foreignAnswerError is the error of a connection that answers what another was asked (F-108).
type foreignAnswerError struct{ connectionID, invocationID string }

func (e *foreignAnswerError) Error() string {
	return fmt.Sprintf("Connection ID '%s' is not valid for invocation ID '%s'.", e.connectionID, e.invocationID)
}
func (e *foreignAnswerError) ErrorName() string { return "InvalidOperationException" }
