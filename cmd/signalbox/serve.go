package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
	"signalbox/live"
	"signalbox/signalr"
	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
	"signalbox/sqlstore"
	"signalbox/web"
	"signalbox/worker"
)

// serveCmd runs the server.
type serveCmd struct {
	dataFlags
	Listen        string        `help:"Address to listen on; port 0 takes a free one." default:"127.0.0.1:8080" env:"SIGNALBOX_LISTEN"`
	Demo          bool          `help:"Make demo accounts and orders that move. Only on a loopback address." env:"SIGNALBOX_DEMO"`
	Topics        []string      `help:"A topic and who may hear it: NAME=everyone, NAME=role:A,B or NAME=user:A,B. May be repeated; in the environment separated by semicolons." name:"topic" sep:";" placeholder:"NAME=RULE" env:"SIGNALBOX_TOPIC"`
	SecureCookies bool          `help:"Send session cookies by https only. Set it where people reach the server by https." env:"SIGNALBOX_SECURE_COOKIES"`
	Origins       []string      `help:"Other origins whose pages may use the server with their visitors' cookies." name:"origin" placeholder:"https://HOST" env:"SIGNALBOX_ORIGIN"`
	OrderInterval time.Duration `help:"How often changed orders are looked for, to notify their owners. Default 30s, with --demo 2s." env:"SIGNALBOX_ORDER_INTERVAL"`
	OrderRetry    time.Duration `help:"How long to wait after that has failed." default:"60s" env:"SIGNALBOX_ORDER_RETRY"`
	Keep          retention     `help:"How long notifications are kept, how many for each user, or both: 90d, 1000, or 90d,1000. Default: for ever." name:"keep-notifications" placeholder:"AGE,NUMBER" env:"SIGNALBOX_KEEP_NOTIFICATIONS"`
	PollInterval  time.Duration `help:"How often pages ask for changes while no live connection can be had." default:"30s" env:"SIGNALBOX_POLL_INTERVAL"`
	farmFlags
	drainFlags
	MetricsListen string     `help:"Address that serves /metrics to Prometheus, for operators alone; port 0 takes a free one. Default: none." name:"metrics-listen" placeholder:"HOST:PORT" env:"SIGNALBOX_METRICS_LISTEN"`
	LogLevel      slog.Level `help:"How much to log: debug, info, warn or error." default:"info" env:"SIGNALBOX_LOG_LEVEL"`
}

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context) (err error) {
	topics, err := parseTopics(c.Topics)
	if err != nil {
		return err
	}
	if err := checkOrigins(c.Origins); err != nil {
		return err
	}
	if err := c.drainFlags.check(); err != nil {
		return err
	}
	interval := c.OrderInterval
	if c.Demo {
		if err := requireLoopback(c.Listen); err != nil {
			return err
		}
		for name, rule := range demoTopics {
			if _, configured := topics[name]; !configured {
				topics[name] = rule
			}
		}
		if interval == 0 {
			interval = 2 * time.Second
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	if c.PIDFile != "" {
		file, pidErr := takePIDFile(c.PIDFile)
		if pidErr != nil {
			return fmt.Errorf("--pid-file: %w", pidErr)
		}
		defer closeInto(&err, file) // the last that happens: then the server is over
	}
	present, err := newTracker(c.RedisURL, log)
	if err != nil {
		return err
	}
	defer present.Close(ctx, log)
	store, err := c.open(ctx, topics)
	if err != nil {
		return err
	}
	defer closeInto(&err, store)

	measured, err := newMetrics(c.MetricsListen, log)
	if err != nil {
		return err
	}
	defer closeInto(&err, measured)
	var farm backplanes
	defer farm.Close(ctx, log)
	app, err := c.assemble(store, topics, present, &farm, measured, log)
	if err != nil {
		return err
	}
	if err := measured.observe(app, present, &farm, log); err != nil {
		return err
	}
	others, err := c.listenInternally(app.connections.FarmHandler(), log)
	if err != nil {
		return err
	}
	// The address is taken before anything is promised about it.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() // http.Server closes it too; what that returns is of interest
	if measured.listener != nil {
		fmt.Printf("Metrics are at http://%s/metrics\n", measured.listener.Addr())
	}
	fmt.Printf("Signalbox listens on http://%s\n", listener.Addr())
	workers := []func(context.Context) error{
		app.publisher.Run,
		measured.Run,
		others.Run,
		func(ctx context.Context) error { return farm.Run(ctx, app.resend, log) },
		(&worker.OrderProcessingNotifier{Orders: store, Interval: interval, ErrorDelay: c.OrderRetry, Log: log}).Run,
		(&worker.Retention{Store: store, MaxAge: c.Keep.Age, MaxCount: c.Keep.Count, Log: log}).Run,
		(&worker.SessionCleaner{Sessions: store, Log: log}).Run,
	}
	if c.Demo {
		key, err := prepareDemo(ctx, store, c.Data)
		if err != nil {
			return err
		}
		for _, u := range demoUsers {
			fmt.Printf("  demo account  %-6s password %s\n", u.name, demoPassword)
			workers = append(workers, (&worker.DemoOrders{
				Orders: app.orders, OwnerID: u.name, IDs: u.orders, Interval: 2 * time.Second, Log: log,
			}).Run)
		}
		fmt.Printf("  API key       %s\n", key)
	}
	return c.serve(ctx, listener, app, workers, log)
}

// checkOrigins refuses what is no origin before anything is built on it.
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf("--origin %q is none: want scheme://host, as browsers write it", origin)
		}
	}
	return nil
}

// application is the server put together.
type application struct {
	handler     http.Handler
	probes      *probes
	connections *signalr.Server
	orders      *live.Orders
	store       *sqlstore.Store
	events      *live.Events
	publisher   *worker.Publisher
}

// resend makes good what connections to this process may have missed since a time, such as while a backplane was away:
// it is to be called when the backplane is back, with a time somewhat before the one at which it was found to be gone.
func (a *application) resend(ctx context.Context, since time.Time) error {
	// What was given up meanwhile was so because the others could not be reached: that roles or sessions are over, too.
	_, reviveErr := a.store.ReviveDeadLetters(ctx, since)
	_, resendErr := a.events.ResendMissed(ctx, since)
	// After that: what is in the outbox is newer, mostly.
	return errors.Join(reviveErr, resendErr, a.store.RetryOutbox(ctx))
}

// assemble wires the parts: the one place that knows them all.
func (c *serveCmd) assemble(store *sqlstore.Store, topics signalbox.Topics, present *tracker, farm *backplanes, measured *metrics, log *slog.Logger) (*application, error) {
	keys, node, err := c.serverOptions()
	if err != nil {
		return nil, err
	}
	connections, err := signalr.NewServer(&signalr.ServerOptions{
		TokenKeys: keys, Farm: node, Poller: true, TrimMemory: true, Metrics: measured.connections, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	options := func(name string) (*signalr.HubOptions, error) {
		manager, err := farm.add(c.farmFlags, name, measured.instruments, log)
		if err != nil {
			return nil, err
		}
		return &signalr.HubOptions{
			Name:            name,
			LifetimeManager: manager,
			Filters:         []signalr.HubFilter{measured.instruments.Filter()},
			Protocols:       []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
			Connection:      signalr.ConnectionOptions{CloseOnAuthenticationExpiration: true, Origins: c.Origins},
			Logger:          log,
		}, nil
	}
	notificationOptions, err := options("NotificationHub")
	if err != nil {
		return nil, err
	}
	orderOptions, err := options("OrderHub")
	if err != nil {
		return nil, err
	}
	// Hubs and services need each other: a hub's methods go through the services, which send through the hub.
	base := live.AuthenticatedHub{Presence: present}
	notificationHub := &live.NotificationHub{AuthenticatedHub: base, Topics: store, Logger: log, NotificationsURL: "/notifications"}
	nhub := notificationhub.NewHub(notificationHub, notificationOptions)
	notifications := live.NewNotifications(store, nhub)
	notifications.Logger = log
	notificationHub.Notifications = notifications
	orderHub := &live.OrderHub{AuthenticatedHub: base}
	ohub := orderhub.NewHub(orderHub, orderOptions)
	orders := live.NewOrders(store, ohub)
	orderHub.Orders = orders
	events := &live.Events{Notifications: notifications, Orders: orders, Access: &live.Access{
		Topics: store, All: slices.Sorted(maps.Keys(topics)), Connections: present, Hub: nhub, Orders: orders,
	}, Delivered: measured.instruments.Delivered}

	pages, err := web.New(web.Options{
		Users: store, Notifications: notifications, Orders: orders, Presence: present,
		Subscriptions: store, Topics: topics, Sessions: store.Sessions(),
		SecureCookies: c.SecureCookies, TrustedOrigins: c.Origins, PollInterval: c.PollInterval,
		SignInHint: c.signInHint(), Logger: log,
		WithIdentity: func(ctx context.Context, userID string, roles []string, expires time.Time) context.Context {
			return signalr.WithIdentity(ctx, signalr.Identity{
				UserID: userID, Expires: expires, Claims: map[string][]string{"role": roles},
			})
		},
	})
	if err != nil {
		return nil, err
	}
	warnWithoutScript(log, pages.HasScript())
	hubs := http.NewServeMux()
	connections.MapHub(hubs, notificationhub.Path, nhub, pages.RequireUser)
	connections.MapHub(hubs, orderhub.Path, ohub, pages.RequireUser)
	health := &probes{degraded: degraded(present, farm), unready: c.RedisLoss == "unready"}
	return &application{
		handler: health.around(connections.FoldPaths(pages.Handler(hubs))), probes: health, connections: connections,
		orders: orders, store: store, events: events,
		publisher: &worker.Publisher{Outbox: patientOutbox{store, farm}, Live: events, Log: log},
	}, nil
}

// warnWithoutScript says that pages will not be live, which nobody sees from the program that was built.
func warnWithoutScript(log *slog.Logger, hasScript bool) {
	if !hasScript {
		log.Warn("this program was built without the pages' script: pages show changes only when they are loaded anew; " +
			"build it by make build, which needs Node")
	}
}

func (c *serveCmd) signInHint() string {
	if !c.Demo {
		return ""
	}
	return "This is a demonstration: sign in as demo or demo2, password demo."
}

// serve runs the HTTP server and the workers until ctx ends or one of them fails, and then drains: the workers go on until
// that is done.
func (c *serveCmd) serve(ctx context.Context, l net.Listener, app *application, workers []func(context.Context) error, log *slog.Logger) error {
	server := &http.Server{
		Handler: app.handler,
		// Streams and polls live long, so that there is no limit on a whole request; hubs have their own for each write.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	group, healthy := errgroup.WithContext(context.WithoutCancel(ctx))
	running, stop := context.WithCancel(healthy)
	defer stop()
	for _, run := range workers {
		group.Go(func() error { return run(running) })
	}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
		case <-healthy.Done():
		}
		return c.drain(context.WithoutCancel(ctx), server, app, log)
	})
	return group.Wait()
}
