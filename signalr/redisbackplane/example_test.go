package redisbackplane_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/rueidis"

	"signalbox/signalr"
	"signalbox/signalr/redisbackplane"
)

// A hub whose clients may be connected to any server that uses the same Redis and hub name.
func Example() {
	backplane, err := redisbackplane.New(
		rueidis.ClientOption{InitAddress: []string{"redis.example:6379"}},
		&redisbackplane.Options{
			HubName: "My.App.Hubs.ChatHub", // as .NET servers of the farm call it
			OnStateChange: func(c redisbackplane.StateChange) {
				slog.Info("the farm", "state", c.To, "error", c.Err)
			},
		})
	if err != nil {
		log.Fatal(err)
	}
	srv, err := signalr.NewServer(nil)
	if err != nil {
		log.Fatal(err)
	}
	hub := signalr.NewHub(&signalr.HubOptions{LifetimeManager: backplane})
	hub.Handle("Say", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text string) error {
		err := c.Clients().All().Send(ctx, "Said", text)
		if errors.Is(err, redisbackplane.ErrBackplaneUnavailable) {
			return nil // those who are connected to this server have it
		}
		return err
	}))
	mux := http.NewServeMux()
	srv.MapHub(mux, "/chat", hub)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if !backplane.Healthy() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, backplane.State())
	})
	// Serve mux, and in the end:
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(srv.Shutdown(ctx), backplane.Close(ctx)); err != nil {
		log.Print(err)
	}
}
