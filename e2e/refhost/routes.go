package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"signalbox/signalr"
	"signalbox/signalr/transport"
)

// routes maps the reference server's endpoints.
func routes(srv *signalr.Server, s settings) http.Handler {
	mux := http.NewServeMux()
	state := &state{}
	hub := newTestHub(state, s.hub)
	srv.MapHub(mux, "/hub", hub, identify)
	srv.MapHub(mux, "/authhub", hub, identify, requireUser)
	srv.MapConnectionHandler(mux, "/echo", echo, &s.hub.Connection, identify)

	mux.HandleFunc("POST /push", func(w http.ResponseWriter, r *http.Request) {
		if err := hub.Clients().All().Send(r.Context(), "Receive", r.FormValue("m")); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /clientresult/{id}", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), resultTimeout)
		defer cancel()
		n, err := signalr.Invoke[int](ctx, hub.Clients().Client(r.PathValue("id")), "Result")
		if err != nil {
			fmt.Fprint(w, clientText(err))
			return
		}
		fmt.Fprint(w, n)
	})
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, state.live.Load()) })
	mux.HandleFunc("GET /stats", stats)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	return srv.FoldPaths(mux)
}

// identify makes the token user:NAME the user NAME; any other token is nobody.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(signalr.AccessToken(r), "user:"); ok {
			r = r.WithContext(signalr.WithIdentity(r.Context(), signalr.Identity{UserID: name}))
		}
		next.ServeHTTP(w, r)
	})
}

// requireUser answers 401 with an empty body to requests of nobody (F-011).
func requireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := signalr.IdentityFrom(r.Context()); !ok {
			w.Header().Set("WWW-Authenticate", "Token")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// echo returns every byte.
func echo(ctx context.Context, conn transport.Conn, _ *signalr.Request) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			if err := conn.Write(ctx, buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// stats answers one line about memory: gc=1 collects first, gc=2 also gives free memory back to the system.
func stats(w http.ResponseWriter, r *http.Request) {
	switch r.FormValue("gc") {
	case "1":
		runtime.GC()
	case "2":
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "heap=%d goroutines=%d rss=%d gcs=%d stacks=%d\n", m.HeapAlloc, runtime.NumGoroutine(), resident(), m.NumGC, m.StackInuse)
}

// resident is the process's resident memory in bytes, or 0 where the system does not tell.
func resident() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, rss int
	if _, err := fmt.Sscan(string(b), &size, &rss); err != nil {
		return 0
	}
	return rss * os.Getpagesize()
}

// resultTimeout is how long a client may take for a result.
const resultTimeout = 5 * time.Second
