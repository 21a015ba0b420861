package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
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
	PollInterval  time.Duration `help:"How often pages ask for changes while no live connection can be had." default:"30s" env:"SIGNALBOX_POLL_INTERVAL"`
	ShutdownLimit time.Duration `help:"How long connections and requests may take to end at shutdown." name:"shutdown-timeout" default:"10s" env:"SIGNALBOX_SHUTDOWN_TIMEOUT"`
	LogLevel      slog.Level    `help:"How much to log: debug, info, warn or error." default:"info" env:"SIGNALBOX_LOG_LEVEL"`
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
	store, err := sqlstore.Open(ctx, sqlstore.Options{Dir: c.Data, Topics: topics})
	if err != nil {
		return err
	}
	defer closeInto(&err, store)

	app, err := c.assemble(store, topics, log)
	if err != nil {
		return err
	}
	// The address is taken before anything is promised about it.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close() // http.Server closes it too; what that returns is of interest
	fmt.Printf("Signalbox listens on http://%s\n", listener.Addr())
	workers := []func(context.Context) error{
		(&worker.OrderProcessingNotifier{
			Orders: store, Live: app.notifications, Interval: interval, ErrorDelay: c.OrderRetry, Log: log,
		}).Run,
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
	handler       http.Handler
	connections   *signalr.Server
	notifications *live.Notifications
	orders        *live.Orders
}

// assemble wires the parts: the one place that knows them all.
func (c *serveCmd) assemble(store *sqlstore.Store, topics signalbox.Topics, log *slog.Logger) (*application, error) {
	connections, err := signalr.NewServer(&signalr.ServerOptions{Logger: log})
	if err != nil {
		return nil, err
	}
	options := func() *signalr.HubOptions {
		return &signalr.HubOptions{
			Protocols:  []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)},
			Connection: signalr.ConnectionOptions{CloseOnAuthenticationExpiration: true, Origins: c.Origins},
			Logger:     log,
		}
	}
	// Hubs and services need each other: a hub's methods go through the services, which send through the hub.
	notificationHub := &live.NotificationHub{Topics: store, Logger: log}
	nhub := notificationhub.NewHub(notificationHub, options())
	notifications := live.NewNotifications(store, nhub, log)
	notificationHub.Notifications = notifications
	ohub := orderhub.NewHub(&live.OrderHub{Orders: store}, options())
	orders := live.NewOrders(store, ohub, log)

	pages, err := web.New(web.Options{
		Users: store, Notifications: notifications, RealTime: notifications, Orders: orders,
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
	hubs := http.NewServeMux()
	connections.MapHub(hubs, notificationhub.Path, nhub, pages.RequireUser)
	connections.MapHub(hubs, orderhub.Path, ohub, pages.RequireUser)
	return &application{
		handler: connections.FoldPaths(pages.Handler(hubs)), connections: connections,
		notifications: notifications, orders: orders,
	}, nil
}

func (c *serveCmd) signInHint() string {
	if !c.Demo {
		return ""
	}
	return "This is a demonstration: sign in as demo or demo2, password demo."
}

// serve runs the HTTP server and the workers until ctx ends or one of them fails, and then ends them in order: the live
// connections, the requests that are under way, the workers.
func (c *serveCmd) serve(ctx context.Context, l net.Listener, app *application, workers []func(context.Context) error, log *slog.Logger) error {
	server := &http.Server{
		Handler: app.handler,
		// Streams and polls live long, so that there is no limit on a whole request; hubs have their own for each write.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	group, running := errgroup.WithContext(ctx)
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
		<-running.Done()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownLimit)
		defer cancel()
		log.Info("shutting down")
		err := app.connections.Shutdown(limit)
		if late := server.Shutdown(limit); late != nil {
			err = errors.Join(err, late, server.Close()) // what is not done by now is cut
		}
		return err
	})
	return group.Wait()
}
