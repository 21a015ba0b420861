//go:build unix

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/sqlstore"
	"signalbox/sqlstore/postgrestest"
)

// onBoth runs a test on an empty SQLite folder and on an empty PostgreSQL database.
func onBoth(t *testing.T, test func(t *testing.T, o sqlstore.Options)) {
	t.Run("SQLite", func(t *testing.T) { test(t, sqlstore.Options{Dir: t.TempDir()}) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, sqlstore.Options{URL: postgrestest.Start(t).NewDatabase(t)}) })
}

// TestResendBesideTheOutbox: what was sent in vain while Redis was away, and what could not be sent and is in the outbox
// yet, is seen once, and in order, though both are sent at once.
func TestResendBesideTheOutbox(t *testing.T) {
	onBoth(t, func(t *testing.T, o sqlstore.Options) {
		store, err := sqlstore.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if _, err := store.CreateUser(t.Context(), "anna", "anna"); err != nil {
			t.Fatal(err)
		}
		farm := &backplanes{back: make(chan struct{}, 1)}
		hub := &fakeBackplane{farm: farm}
		farm.hubs = []backplane{hub}
		log := slog.New(slog.DiscardHandler)
		present, err := newTracker("", log)
		if err != nil {
			t.Fatal(err)
		}
		measured, err := newMetrics("", log)
		if err != nil {
			t.Fatal(err)
		}
		app, err := (&serveCmd{}).assemble(store, nil, present, farm, measured, log)
		if err != nil {
			t.Fatal(err)
		}
		web := httptest.NewServer(app.handler)
		defer web.Close()
		defer func() {
			if err := app.connections.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		c := (&server{t: t, base: web.URL}).signedIn("anna", "anna").connect(notificationhub.Path)
		c.want(event("UnreadCountUpdated", 0))

		const stored, inVain = 120, 30
		hub.goes()
		for range stored {
			if _, err := store.Notify(t.Context(), []string{"anna"}, signalbox.NotificationMessage{Title: "t"}); err != nil {
				t.Fatal(err)
			}
		}
		// Another server is the first that Redis is back for. This one does not hear it yet.
		_, err = store.DeliverPending(t.Context(), func(context.Context, []signalbox.PendingEvents) []signalbox.Delivery {
			return []signalbox.Delivery{{Sent: inVain}}
		})
		if err != nil {
			t.Fatal(err)
		}
		hub.comes()
		ctx, cancel := context.WithCancel(t.Context())
		var working sync.WaitGroup
		defer working.Wait()
		defer cancel()
		working.Go(func() { _ = app.publisher.Run(ctx) })
		working.Go(func() { _ = farm.Run(ctx, app.resend, log) })
		eventually(t, "all to be sent", func() bool {
			state, err := store.OutboxState(t.Context())
			return err == nil && state.Depth == 0 && !farm.behind()
		})
		c.invoke("Fence")
		next := 1
		for {
			m := c.next()
			if strings.Contains(m, `"target":"ReceiveNotification"`) {
				if !strings.Contains(m, fmt.Sprintf(`"sequence":%d,`, next)) {
					t.Fatalf("got %s, want sequence %d", m, next)
				}
				next++
			}
			if strings.Contains(m, `"invocationId":"c"`) {
				break
			}
		}
		if next != stored+1 {
			t.Errorf("got all up to %d, want %d", next-1, stored)
		}
	})
}
