package redisbackplane_test

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// redisServer is a Redis server of the test's own, on a port that was free.
type redisServer struct {
	t    *testing.T
	addr string
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// startRedis starts a Redis server with further arguments. It ends with the test.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := &redisServer{t: t, addr: freeAddress(t), args: args}
	r.start()
	t.Cleanup(r.stop)
	return r
}

// awayRedis is a Redis server that is not started yet.
func awayRedis(t *testing.T) *redisServer {
	t.Helper()
	findRedis(t)
	r := &redisServer{t: t, addr: freeAddress(t)}
	t.Cleanup(r.stop)
	return r
}

func findRedis(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no redis-server here; apt-get install redis-server")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the server, empty, and waits until it answers.
func (r *redisServer) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", r.t.TempDir(),
		"--client-output-buffer-limit", "pubsub 0 0 0"}, r.args...)
	r.cmd = exec.Command(findRedis(r.t), args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("starting redis-server: %v", err)
	}
	eventually(r.t, "Redis answers", func() bool {
		c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.addr}, DisableCache: true, ForceSingleClient: true})
		if c != nil {
			c.Close()
		}
		return err == nil
	})
}

// stop ends the server at once.
func (r *redisServer) stop() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // says that it was killed
	r.cmd = nil
	if r.t.Failed() {
		r.t.Logf("redis-server:\n%s", r.log.Bytes())
	}
}

// client returns a client of the server that ends with the test. It connects when it is used, as often as it must.
func (r *redisServer) client() rueidis.Client {
	r.t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.addr}, DisableCache: true, ForceSingleClient: true})
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
