package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"signalbox"
	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
	"signalbox/telemetry"
)

// farmFlags make the server one of several that look like one.
type farmFlags struct {
	RedisURL        string `help:"Redis that several servers share, to reach each other's connections and to know of them: redis://user:password@host:6379." name:"redis-url" placeholder:"URL" env:"SIGNALBOX_REDIS_URL"`
	RedisLoss       string `help:"What /readyz says while Redis is away: degraded, and 200, or unready, and 503." name:"redis-loss" enum:"degrade,unready" default:"degrade" env:"SIGNALBOX_REDIS_LOSS"`
	InternalListen  string `help:"Address for the other servers alone, so that any request may reach any of them and no balancer need be sticky. Needs --farm-key-file." name:"internal-listen" placeholder:"HOST:PORT" env:"SIGNALBOX_INTERNAL_LISTEN"`
	InternalAddress string `help:"Where the others reach it, if not at --internal-listen." name:"internal-address" placeholder:"HOST:PORT" env:"SIGNALBOX_INTERNAL_ADDRESS"`
	FarmKeyFile     string `help:"File with the keys that the servers share, a line each: a number from 0 to 255, a blank, and a secret of at least 32 characters. The first signs, all are accepted." name:"farm-key-file" type:"existingfile" env:"SIGNALBOX_FARM_KEY_FILE"`
}

// minSecret is how long the secret of a key must be.
const minSecret = 32

// serverOptions are what the flags ask of the library's server.
func (f farmFlags) serverOptions() (keys []signalr.TokenKey, farm *signalr.FarmOptions, err error) {
	if f.FarmKeyFile != "" {
		if keys, err = readKeys(f.FarmKeyFile); err != nil {
			return nil, nil, fmt.Errorf("--farm-key-file: %w", err)
		}
	}
	switch {
	case f.InternalListen == "" && f.InternalAddress != "":
		return nil, nil, errors.New("--internal-address needs --internal-listen")
	case f.InternalListen == "":
		return keys, nil, nil
	case keys == nil:
		return nil, nil, errors.New("--internal-listen needs --farm-key-file")
	}
	return keys, &signalr.FarmOptions{Address: cmp.Or(f.InternalAddress, f.InternalListen)}, nil
}

func readKeys(path string) ([]signalr.TokenKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys []signalr.TokenKey
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		number, secret, _ := strings.Cut(line, " ")
		id, err := strconv.ParseUint(number, 10, 8)
		if secret = strings.TrimSpace(secret); err != nil || len(secret) < minSecret {
			return nil, fmt.Errorf("line %d: want a number from 0 to 255, a blank, and a secret of at least %d characters", n, minSecret)
		}
		keys = append(keys, signalr.TokenKey{ID: byte(id), Secret: []byte(secret)})
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key")
	}
	return keys, nil
}

// backplanes connect the hubs of several servers. The zero value is for one server alone.
type backplanes struct {
	hubs  []backplane
	links []telemetry.RedisLink // of hubs
	back  chan struct{}         // has one place: Redis is back
	lost  atomic.Int64          // since when it is away, in nanoseconds since 1970; 0 when that is made good
	// making says that what was missed is being sent.
	making atomic.Bool
}

// backplane is what is needed of a [redisbackplane.Backplane].
type backplane interface {
	Healthy() bool
	Close(ctx context.Context) error
}

// hubPrefix stands before a hub's name in the names of Redis channels.
const hubPrefix = "Signalbox."

// add returns the backplane of a hub; nil, which means the connections of this process, without Redis.
func (p *backplanes) add(f farmFlags, hub string, instruments *telemetry.Instruments, log *slog.Logger) (signalr.HubLifetimeManager, error) {
	if f.RedisURL == "" {
		return nil, nil
	}
	redis, err := rueidis.ParseURL(f.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("--redis-url: %w", err)
	}
	if p.back == nil {
		p.back = make(chan struct{}, 1)
	}
	instruments.RedisChanged(hub, 0)
	b, err := redisbackplane.New(redis, &redisbackplane.Options{
		HubName: hubPrefix + hub, Logger: log,
		OnStateChange: func(c redisbackplane.StateChange) {
			log.Info("the backplane's state has changed", "hub", hub, "from", c.From, "to", c.To, "error", c.Err)
			instruments.RedisChanged(hub, 1)
			p.changed(c)
		},
	})
	if err != nil {
		return nil, err
	}
	p.hubs = append(p.hubs, b)
	p.links = append(p.links, telemetry.RedisLink{Use: "backplane", Hub: hub, Connected: b.Healthy})
	return b, nil
}

// changed takes note of a change in the state of a hub's backplane.
func (p *backplanes) changed(c redisbackplane.StateChange) {
	switch {
	case c.To == redisbackplane.Disconnected:
		p.lost.CompareAndSwap(0, time.Now().UnixNano())
	case c.To == redisbackplane.Connected:
		// Connections are welcome before Redis was reached for the first time, and miss what others send till then.
		p.lost.CompareAndSwap(0, time.Now().UnixNano())
		select {
		case p.back <- struct{}{}:
		default:
		}
	}
}

// away says whether messages reach the connections of this server alone.
func (p *backplanes) away() bool {
	return slices.ContainsFunc(p.hubs, func(b backplane) bool { return !b.Healthy() })
}

// behind says whether Redis is back, and what was missed has yet to be sent.
func (p *backplanes) behind() bool {
	return !p.away() && (p.lost.Load() != 0 || p.making.Load())
}

// patientOutbox is an outbox that sends nothing while this server's connections are behind: what is in it comes after what
// they have missed, and would be sent to them twice.
type patientOutbox struct {
	signalbox.Outbox
	farm *backplanes
}

// DeliverPending implements [signalbox.Outbox].
func (o patientOutbox) DeliverPending(
	ctx context.Context, deliver func(context.Context, []signalbox.PendingEvents) []signalbox.Delivery,
) (signalbox.OutboxRound, error) {
	if o.farm.behind() {
		return signalbox.OutboxRound{Busy: true}, nil
	}
	return o.Outbox.DeliverPending(ctx, deliver)
}

// degraded says what does not work for the whole farm, or nothing.
func degraded(present *tracker, farm *backplanes) func() string {
	return func() string {
		if farm.away() {
			return "without Redis, messages and presence are those of this node alone"
		}
		return present.degraded()
	}
}

// resendBehind is how far back what may have been missed is looked for: longer than Redis can be gone unnoticed, with
// clocks that are not quite in step.
const resendBehind = time.Minute

// Run makes good what was missed while Redis was away, each time that it is back, by resend, which is given the time
// since when something may have been missed. It ends with ctx.
func (p *backplanes) Run(ctx context.Context, resend func(ctx context.Context, since time.Time) error, log *slog.Logger) error {
	if p.back == nil {
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.back:
		}
		if p.away() {
			continue // the hub that comes back last says so, too
		}
		p.making.Store(true) // before lost is 0: there is no moment between
		lost := p.lost.Swap(0)
		if lost == 0 {
			p.making.Store(false)
			continue // made good already, when another hub was back
		}
		since := time.Unix(0, lost).Add(-resendBehind)
		err := resend(ctx, since)
		p.making.Store(false)
		if err != nil && ctx.Err() == nil {
			// Clients still find out what they miss, when they connect anew or see a gap.
			log.Error("showing what was missed while Redis was away failed", "error", err)
		}
	}
}

// backplaneCloseTime is how long the backplanes may take to leave.
const backplaneCloseTime = 5 * time.Second

// Close leaves the farm.
func (p *backplanes) Close(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backplaneCloseTime)
	defer cancel()
	for _, b := range p.hubs {
		if err := b.Close(ctx); err != nil {
			log.Warn("leaving the farm failed", "error", err)
		}
	}
}

// internal is the listener for the other servers of the farm; nil without one.
type internal struct {
	server   *http.Server
	listener net.Listener
}

// listenInternally listens for the other servers, if there are some.
func (f farmFlags) listenInternally(handler http.Handler, log *slog.Logger) (*internal, error) {
	if f.InternalListen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", f.InternalListen)
	if err != nil {
		return nil, fmt.Errorf("--internal-listen: %w", err)
	}
	return &internal{listener: l, server: &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}, nil
}

// Run serves until ctx ends, which is when this server's own connections are gone.
func (i *internal) Run(ctx context.Context) error {
	if i == nil {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = i.server.Close() })
	defer stop()
	if err := i.server.Serve(i.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
