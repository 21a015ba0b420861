//go:build unix

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"signalbox/e2e/rawclient"
	"signalbox/signalr/transport"
)

// swarm is clients in Go, which do what those in clients.mjs do and reconnect as stock ones: thousands of those would be
// too much for one Node.js process.
type swarm struct {
	url     string
	http    *http.Client
	tell    func(told)
	turn    chan struct{} // has as many places as clients may connect for the first time at once
	cancel  context.CancelFunc
	running sync.WaitGroup
}

const (
	// firstAtOnce is how many clients connect for the first time at once.
	firstAtOnce = 16
	// dialLimit is how long a client waits to be connected: as long as the stock client waits for a handshake.
	dialLimit = 15 * time.Second
	pingEvery = 15 * time.Second
)

// stockDelays are the pauses before a stock client's attempts to reconnect, after which it gives up.
var stockDelays = []time.Duration{0, 2 * time.Second, 10 * time.Second, 30 * time.Second}

var kinds = map[string]transport.Type{
	"ws": transport.WebSockets, "sse": transport.ServerSentEvents, "lp": transport.LongPolling,
}

// startSwarm starts clients, which tell what becomes of them until stop is called.
func startSwarm(url string, clients []options, tell func(told)) *swarm {
	ctx, cancel := context.WithCancel(context.Background())
	s := &swarm{
		url: url, tell: tell, cancel: cancel, turn: make(chan struct{}, firstAtOnce),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * len(clients)}},
	}
	for _, o := range clients {
		s.running.Go(func() { (&rawClient{swarm: s, options: o}).run(ctx) })
	}
	return s
}

// stop ends the clients and waits for them.
func (s *swarm) stop() {
	s.cancel()
	s.running.Wait()
	s.http.CloseIdleConnections()
}

// rawClient is one client of a swarm. Its fields are for one goroutine.
type rawClient struct {
	*swarm
	options
	last int64 // the sequence up to which it has shown all
}

// connection is one that lives, and what has come by it and was not looked at yet.
type connection struct {
	*rawclient.Client
	mu      sync.Mutex
	arrived []entry
	wake    chan struct{} // has one place
}

func (c *rawClient) run(ctx context.Context) {
	for again := false; ctx.Err() == nil; {
		conn := c.connect(ctx, again)
		if conn == nil {
			again = false // it has given up, or is to end
			continue
		}
		c.say("connected")
		c.follow(ctx, conn)
		if ctx.Err() == nil {
			c.say("lost")
		}
		conn.Close()
		if ctx.Err() != nil {
			return
		}
		if again = conn.wantsAnother(); !again {
			c.say("gave up")
		}
	}
}

func (c *rawClient) say(event string) { c.tell(told{Client: c.Name, Event: event}) }

// wantsAnother says whether a stock client reconnects after this one has ended.
func (c *connection) wantsAnother() bool {
	return errors.Is(c.Err(), rawclient.ErrReconnect) || !errors.Is(c.Err(), rawclient.ErrClosed)
}

// connect connects as a stock client does: when that is called again, after its pauses, and then it gives up; and at
// first as its user makes it, until it works. It returns nil when it gives up or ctx ends.
func (c *rawClient) connect(ctx context.Context, again bool) *connection {
	if again {
		for _, delay := range stockDelays {
			if !pause(ctx, delay) {
				return nil
			}
			if conn, err := c.dial(ctx); err == nil {
				return conn
			}
		}
		c.say("gave up")
		return nil
	}
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-c.turn }()
	for {
		if conn, err := c.dial(ctx); err == nil {
			return conn
		}
		if !pause(ctx, 100*time.Millisecond+rand.N(900*time.Millisecond)) {
			return nil
		}
	}
}

func (c *rawClient) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn := &connection{wake: make(chan struct{}, 1)}
	var err error
	conn.Client, err = rawclient.Dial(ctx, c.url+"/hubs/notifications", kinds[c.Transport], rawclient.Options{
		HTTP: c.http, Header: http.Header{"Cookie": {c.Cookie}}, OnInvocation: conn.arrive,
	})
	return conn, err
}

// arrive notes what the server sends. What cannot be read is left out, and found to be missing.
func (c *connection) arrive(target string, args []json.RawMessage) {
	var e entry
	if target != "ReceiveNotification" || len(args) != 1 || json.Unmarshal(args[0], &e) != nil {
		return
	}
	c.mu.Lock()
	c.arrived = append(c.arrived, e)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *connection) take() []entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.arrived
	c.arrived = nil
	return all
}

// follow shows what there is and what comes, until the connection or ctx ends.
func (c *rawClient) follow(ctx context.Context, conn *connection) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for behind := true; ; {
		if behind {
			behind = !c.catchUp(ctx, conn)
		}
		for _, e := range conn.take() {
			switch {
			case e.Sequence <= c.last:
				c.say("again")
			case e.Sequence == c.last+1 && !behind:
				c.show(e, "live")
			case !behind: // it is stored, too, with what came before it
				c.say("skip")
				behind = true
			}
		}
		if behind {
			select {
			case <-conn.Done():
				return
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond): // the server may be without its database for a while
			}
			continue
		}
		select {
		case <-conn.wake:
		case <-ping.C:
			_ = conn.Ping(ctx) // fails when the connection has ended
		case <-conn.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// catchUp shows what was missed, and says whether it has shown all of it.
func (c *rawClient) catchUp(ctx context.Context, conn *connection) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	for {
		var answer struct {
			Notifications []entry
			Gap, More     bool
		}
		text, err := conn.Call(ctx, "CatchUp", c.last)
		if err != nil || json.Unmarshal(text, &answer) != nil {
			return false
		}
		if answer.Gap {
			c.say("gap")
		}
		for _, e := range answer.Notifications {
			if e.Sequence > c.last {
				c.show(e, "caught up")
			}
		}
		if !answer.More {
			return true
		}
	}
}

func (c *rawClient) show(e entry, by string) {
	c.last, e.User = e.Sequence, c.User
	c.tell(told{Client: c.Name, Event: "shown", By: by, entry: e})
}
