package redisbackplane_test

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"signalbox/signalr/redisbackplane/redistest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// redisServer is a Redis server of the test's own.
type redisServer struct {
	*redistest.Server
	t *testing.T
}

// startRedis starts a Redis server with further arguments. It ends with the test.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	return &redisServer{redistest.Run(t, args...), t}
}

// awayRedis is a Redis server that is not started yet.
func awayRedis(t *testing.T) *redisServer {
	t.Helper()
	return &redisServer{redistest.Prepare(t), t}
}

// start starts the server, empty, and waits until it answers.
func (r *redisServer) start() {
	r.t.Helper()
	if err := r.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// signal sends a signal to the server, such as SIGSTOP.
func (r *redisServer) signal(s os.Signal) {
	r.t.Helper()
	if err := r.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// client returns a client of the server that ends with the test. It connects when it is used, as often as it must.
func (r *redisServer) client() rueidis.Client {
	r.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr}, DisableCache: true, ForceSingleClient: true})
	if c == nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

// channelsOf are those that somebody hears.
func channelsOf(t *testing.T, c rueidis.Client, pattern string) []string {
	t.Helper()
	names, err := c.Do(t.Context(), c.B().PubsubChannels().Pattern(pattern).Build()).AsStrSlice()
	if err != nil {
		t.Errorf("asking for the channels: %v", err)
	}
	return names
}

// commandCalls returns how often Redis has run a command, such as "publish".
func commandCalls(t *testing.T, c rueidis.Client, command string) int {
	t.Helper()
	stats, err := c.Do(t.Context(), c.B().Info().Section("commandstats").Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := bytes.Cut([]byte(stats), []byte("cmdstat_"+command+":calls="))
	if !ok {
		return 0
	}
	number, _, _ := bytes.Cut(rest, []byte(","))
	n, err := strconv.Atoi(string(number))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// listener hears channels of a Redis server.
type listener struct {
	t        *testing.T
	messages chan rueidis.PubSubMessage
}

func (r *redisServer) listen(channels ...string) *listener {
	t := r.t
	t.Helper()
	l := &listener{t, make(chan rueidis.PubSubMessage, 4096)}
	c, release := r.client().Dedicate()
	c.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { l.messages <- m }})
	if err := c.Do(t.Context(), c.B().Subscribe().Channel(channels...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { c.Close(); release() }) })
	return l
}

func (l *listener) next() rueidis.PubSubMessage {
	l.t.Helper()
	select {
	case m := <-l.messages:
		return m
	case <-time.After(patience):
		l.t.Fatal("nothing was published")
		return rueidis.PubSubMessage{}
	}
}

// publish publishes what another server could.
func publish(t *testing.T, c rueidis.Client, channel string, payload []byte) int64 {
	t.Helper()
	n, err := c.Do(t.Context(), c.B().Publish().Channel(channel).Message(rueidis.BinaryString(payload)).Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("it never happened: %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("waiting until %s: %v", what, context.Cause(t.Context()))
		case <-time.After(2 * time.Millisecond):
		}
	}
}
