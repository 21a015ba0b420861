package main

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/presence/presencetest"
	"signalbox/sqlstore"
)

// TestMetrics asks the operator's address while there is a connection and when it has gone.
func TestMetrics(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, append(quiet, "--metrics-listen", "127.0.0.1:0")...)
	operator := s.operator()
	has := operator.measures
	if !has(`go_goroutines \d+`) {
		t.Error("there are no metrics of the process")
	}
	c := s.signedIn("anna", "anna").connect(notificationhub.Path)
	if !has(`signalr_server_active_connections\{.*signalr_transport="web_sockets".*\} 1`) {
		t.Error("the connection is not counted")
	}
	if err := c.ws.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection to be counted as ended", func() bool {
		return has(`signalr_server_active_connections\{.*signalr_transport="web_sockets".*\} 0`)
	})
	if !has(`signalr_server_connection_duration_seconds_count\{.*signalr_connection_status="normal_closure".*signalr_transport="web_sockets".*\} 1`) {
		t.Error("how long it lasted is not counted")
	}
	if res, _ := s.visitor().do(http.MethodGet, "/metrics", ""); res.StatusCode == http.StatusOK {
		t.Error("the public gets metrics")
	}
	if res, _ := operator.do(http.MethodGet, "/", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("at the operator's address / is answered %s", res.Status)
	}
}

// TestMetricsAddressTaken: what was promised is not quietly left out.
func TestMetricsAddressTaken(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	_, err := command(t, "", "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--metrics-listen", strings.TrimPrefix(s.base, "http://"))
	if err == nil || !strings.Contains(err.Error(), "--metrics-listen") {
		t.Errorf("it ended with %v", err)
	}
}

// operator is somebody who may ask at the address for operators.
type operator struct{ *visitor }

func (s *server) operator() operator {
	s.t.Helper()
	for _, line := range s.printed {
		if address, ok := strings.CutPrefix(line, "Metrics are at "); ok {
			if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/metrics$`).MatchString(address) {
				break
			}
			return operator{&visitor{&server{t: s.t, base: strings.TrimSuffix(address, "/metrics")}, s.visitor().http}}
		}
	}
	s.t.Fatalf("printed:\n%s", strings.Join(s.printed, "\n"))
	panic("unreachable")
}

// measures says whether a whole line of the metrics is this regular expression.
func (o operator) measures(line string) bool {
	o.s.t.Helper()
	res, body := o.do(http.MethodGet, "/metrics", "")
	if res.StatusCode != http.StatusOK {
		o.s.t.Fatalf("the metrics were answered %s", res.Status)
	}
	return regexp.MustCompile(`(?m)^` + line + `$`).MatchString(body)
}

// TestMetricsOfDelivery: what waits, what was given up, how fast the rest is, and who is connected where.
func TestMetricsOfDelivery(t *testing.T) {
	dir, key := shop(t)
	leaveBehind(t, dir)
	s := serve(t, dir, append(quiet, "--metrics-listen", "127.0.0.1:0")...)
	operator := s.operator()
	c := s.signedIn("anna", "anna").connect(notificationhub.Path)
	for _, line := range []string{
		`signalbox_connections\{.*signalbox_hub="NotificationHub",signalr_transport="web_sockets".*\} 1`,
		`signalbox_send_queue_size_bytes\{.*signalbox_hub="NotificationHub",signalr_transport="web_sockets".*\} \d+`,
		`signalbox_outbox_events\{.*\} 1`,
		`signalbox_outbox_oldest_age_seconds\{.*\} ([1-9].*|0\.\d*[1-9].*)`,
		`signalbox_outbox_dead_letters\{.*\} 1`,
	} {
		if !operator.measures(line) {
			t.Errorf("there is no %s", line)
		}
	}
	if operator.measures(`signalbox_redis_.*`) {
		t.Error("there are metrics of Redis without one")
	}
	c.want(event("UnreadCountUpdated", 1)) // of the notification whose event was given up
	s.backEnd(key, http.MethodPost, "/notifications", object{"users": []string{"anna"}, "title": "Hello"}, http.StatusCreated)
	eventually(t, "the delivery to be measured", func() bool {
		return operator.measures(`signalbox_delivery_duration_seconds_count\{.*signalbox_event="notification".*\} 1`)
	})
	for path, want := range map[string]string{"/healthz": "200 ok", "/readyz": "200 ok"} {
		if got := operator.probe(path); got != want {
			t.Errorf("%s at the operator's address is %q, want %q", path, got, want)
		}
	}
}

// leaveBehind stores a notification for otto that waits for its next attempt, and one for anna that was given up.
func leaveBehind(t *testing.T, dir string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Notify(t.Context(), []string{"anna", "otto"}, signalbox.NotificationMessage{Title: "Early"}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // until nothing is due
		_, err = store.DeliverPending(t.Context(), func(_ context.Context, batch []signalbox.PendingEvents) []signalbox.Delivery {
			results := make([]signalbox.Delivery, len(batch))
			for i, p := range batch {
				results[i] = signalbox.Delivery{
					Err: errors.New("the line is dead"), GiveUp: p.UserID == "anna", RetryAt: time.Now().Add(time.Hour),
				}
			}
			return results
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMetricsOfRedis: Redis comes and goes.
func TestMetricsOfRedis(t *testing.T) {
	dir, _ := shop(t)
	redis := presencetest.StartRedis(t)
	s := serve(t, dir, append(quiet, "--metrics-listen", "127.0.0.1:0", "--redis-url", redis.URL)...)
	operator := s.operator()
	connected := func(value string) func() bool {
		return func() bool {
			return operator.measures(`signalbox_redis_connected\{.*signalbox_hub="OrderHub",signalbox_redis_use="backplane".*\} `+value) &&
				operator.measures(`signalbox_redis_connected\{.*signalbox_redis_use="presence".*\} `+value)
		}
	}
	eventually(t, "Redis to be connected", connected("1"))
	redis.Stop()
	eventually(t, "Redis to be away", connected("0"))
	if !operator.measures(`signalbox_redis_state_changes_total\{.*signalbox_hub="OrderHub".*\} [2-9]`) {
		t.Error("the changes are not counted")
	}
}
