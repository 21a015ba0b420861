package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"signalbox"
	"signalbox/signalr"
	"signalbox/signalr/transport"
	"signalbox/telemetry"
)

// TestInstruments asks and tells all of them.
func TestInstruments(t *testing.T) {
	reader := metric.NewManualReader()
	instruments, err := telemetry.NewInstruments(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	state, asked, failures := signalbox.OutboxState{Depth: 3, Oldest: time.Now().Add(-time.Hour), DeadLetters: 2}, error(nil), 0
	err = instruments.Observe(telemetry.Sources{
		Usage: func() []signalr.Usage {
			return []signalr.Usage{{Hub: "Shop", Transport: transport.LongPolling, Connections: 7, QueuedBytes: 4096}}
		},
		Outbox: func(ctx context.Context) (signalbox.OutboxState, error) {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("the store may take for ever")
			}
			return state, asked
		},
		Redis: []telemetry.RedisLink{
			{Use: "backplane", Hub: "Shop", Connected: func() bool { return true }},
			{Use: "presence", Connected: func() bool { return false }},
		},
		Failed: func(err error) {
			if errors.Is(err, asked) {
				failures++
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	instruments.RedisChanged("Shop", 0)
	instruments.RedisChanged("Shop", 1)
	instruments.Delivered(t.Context(), signalbox.Event{CreatedAt: time.Now().Add(-40 * time.Second), Order: &signalbox.OrderUpdate{}})
	instruments.Delivered(t.Context(), signalbox.Event{CreatedAt: time.Now().Add(time.Hour), Notification: &signalbox.Notification{}})

	always := []string{
		"signalbox.connections {connection}: Shop long_polling 7",
		"signalbox.delivery.duration s: notification at most 0.001",
		"signalbox.delivery.duration s: order at most 60",
		"signalbox.redis.connected {connection}: Shop backplane 1",
		"signalbox.redis.connected {connection}: presence 0",
		"signalbox.redis.state_changes {change}: Shop backplane 1",
		"signalbox.send_queue.size By: Shop long_polling 4096",
	}
	outbox := []string{
		"signalbox.outbox.dead_letters {event}:  2",
		"signalbox.outbox.events {event}:  3",
		"signalbox.outbox.oldest.age s:  1 h",
	}
	compare := func(when string, want []string) {
		t.Helper()
		slices.Sort(want)
		if diff := cmp.Diff(want, measured(t, reader)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	compare("with events that wait", slices.Concat(always, outbox))
	asked = errors.New("the database is away")
	compare("without the store", slices.Clone(always))
	if failures != 1 {
		t.Errorf("%d failures were told, want 1", failures)
	}
	state, asked = signalbox.OutboxState{}, nil
	compare("with an empty outbox", append(slices.Clone(always), "signalbox.outbox.dead_letters {event}:  0",
		"signalbox.outbox.events {event}:  0", "signalbox.outbox.oldest.age s:  0 h"))
}

// TestSlowClients: those and no others are counted, and the hub's own handler runs.
func TestSlowClients(t *testing.T) {
	reader := metric.NewManualReader()
	instruments, err := telemetry.NewInstruments(metric.NewMeterProvider(metric.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	filter := instruments.Filter()
	server, err := signalr.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 2)
	hub := signalr.NewHub(&signalr.HubOptions{
		Name: "Slow", Filters: []signalr.HubFilter{filter}, Connection: signalr.ConnectionOptions{SendQueueLimit: 100_000},
	})
	hub.OnDisconnected(func(_ context.Context, _ *signalr.Caller, cause error) error { gone <- cause; return nil })
	mux := http.NewServeMux()
	server.MapHub(mux, "/slow", hub)
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, slow := range []bool{false, true} {
		ws, _, err := websocket.Dial(ctx, web.URL+"/slow", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		if err := ws.Write(ctx, websocket.MessageText, []byte(handshake+"\x1e")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.Read(ctx); err != nil {
			t.Fatal(err)
		}
		if !slow {
			if err := ws.CloseNow(); err != nil {
				t.Fatal(err)
			}
		}
		for slow && len(gone) == 0 && ctx.Err() == nil { // what is sent fills the sockets' buffers first
			if err := hub.Clients().All().Send(ctx, "M", strings.Repeat("x", 50_000)); err != nil {
				t.Fatal(err)
			}
		}
		var cause error
		select {
		case cause = <-gone:
		case <-ctx.Done():
			t.Fatal("the connection does not end")
		}
		_ = ws.CloseNow() // the server does not wait for who reads nothing
		if slow != errors.Is(cause, signalr.ErrSlowConsumer) {
			t.Errorf("slow %v: the connection ended with %v", slow, cause)
		}
	}
	if err := server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"signalbox.slow_clients {connection}: Slow 1"}, measured(t, reader)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// measured writes down what has been measured, sorted.
func measured(t *testing.T, reader *metric.ManualReader) []string {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			add := func(attributes, value any) {
				lines = append(lines, fmt.Sprintf("%s %s: %v %v", m.Name, m.Unit, attributes, value))
			}
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(values(p.Attributes), p.Value)
				}
			case metricdata.Gauge[float64]: // an age
				for _, p := range data.DataPoints {
					add(values(p.Attributes), fmt.Sprint(int(p.Value/3600), " h"))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(values(p.Attributes), p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					for i, n := range p.BucketCounts {
						if n > 0 {
							add(values(p.Attributes), fmt.Sprint("at most ", p.Bounds[i]))
						}
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}
