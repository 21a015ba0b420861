package main

import (
	"io"
	"net/http"
	"sync/atomic"
)

// probes answers those who look after the process: /livez, also known as /healthz, says that it runs, /readyz whether it wants requests.
type probes struct {
	draining atomic.Bool
	// degraded says what works for this node alone; nil means that nothing can.
	degraded func() string
	// unready has a degraded node refuse requests.
	unready bool
}

// around answers the probes and leaves everything else to next.
func (p *probes) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "ok\n"
		switch r.URL.Path {
		default:
			next.ServeHTTP(w, r)
			return
		case "/livez", "/healthz":
		case "/readyz":
			status, text = p.readiness()
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			status, text = http.StatusMethodNotAllowed, "method not allowed\n"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text) // who has gone reads nothing
	})
}

func (p *probes) readiness() (status int, text string) {
	if p.draining.Load() {
		return http.StatusServiceUnavailable, "draining\n"
	}
	if p.degraded != nil {
		if what := p.degraded(); what != "" {
			if p.unready {
				return http.StatusServiceUnavailable, "degraded: " + what + "\n"
			}
			return http.StatusOK, "ok, degraded: " + what + "\n"
		}
	}
	return http.StatusOK, "ok\n"
}
