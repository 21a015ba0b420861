package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"signalbox/contract/notificationhub"
)

// TestMetrics asks the operator's address while there is a connection and when it has gone.
func TestMetrics(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, append(quiet, "--metrics-listen", "127.0.0.1:0")...)
	var metrics string
	for _, line := range s.printed {
		if address, ok := strings.CutPrefix(line, "Metrics are at "); ok {
			metrics = address
		}
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/metrics$`).MatchString(metrics) {
		t.Fatalf("printed:\n%s", strings.Join(s.printed, "\n"))
	}
	operator := &visitor{&server{t: t, base: strings.TrimSuffix(metrics, "/metrics")}, s.visitor().http}
	has := func(line string) bool {
		res, body := operator.do(http.MethodGet, "/metrics", "")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the metrics were answered %s", res.Status)
		}
		return regexp.MustCompile(`(?m)^` + line + `$`).MatchString(body)
	}
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
