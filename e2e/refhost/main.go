// Command refhost is a small server with one hub that has a method for everything that a client may want to see a
// SignalR server do. It answers like the reference server of the wire contract, so that both can be held against each
// other, and it is built on the library's public API alone.
//
//	refhost --urls http://127.0.0.1:5400
//
// Options are environment variables; see settings.go. The first line of output is LISTENING and the address.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"signalbox/signalr"
)

func main() {
	urls := flag.String("urls", "http://127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *urls); err != nil {
		fmt.Fprintln(os.Stderr, "refhost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("--urls %q: want http://host:port", address)
	}
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	o := &signalr.ServerOptions{TokenKeys: s.keys, Poller: true, TrimMemory: true, Logger: s.logger}
	if s.internal != "" {
		o.Farm = &signalr.FarmOptions{Address: s.internal}
	}
	srv, err := signalr.NewServer(o)
	if err != nil {
		return err
	}
	internal := &http.Server{Handler: srv.FarmHandler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	if s.internal != "" {
		listener, err := net.Listen("tcp", s.internal)
		if err != nil {
			return err
		}
		go func() { failed <- internal.Serve(listener) }()
	}
	listener, err := net.Listen("tcp", u.Host)
	if err != nil {
		return err
	}
	web := &http.Server{Handler: routes(srv, s), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- web.Serve(listener) }()
	s.farm.await(ctx)
	fmt.Printf("LISTENING http://%s\n", listener.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = srv.Shutdown(limit) // may take all of its time without an error
	rest, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return errors.Join(err, s.farm.close(rest), end(web), end(internal))
}

// end ends a server whose requests are over. One that still runs has a moment. A connection on which nothing was ever
// asked, such as a balancer holds ready, would otherwise count as busy until it is 5 s old.
func end(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return s.Close()
}
