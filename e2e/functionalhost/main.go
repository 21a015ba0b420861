// Command functionalhost is the server that the functional tests of Microsoft's TypeScript client, and those of its
// Swift client, run against. It is built on the library's public API alone.
//
//	functionalhost --http 127.0.0.1:5000 --https 127.0.0.1:5001
//
// Its output begins with one line for each address that it listens on, as ASP.NET Core prints it:
//
//	Now listening on: http://127.0.0.1:5000
//	Now listening on: https://127.0.0.1:5001
//
// It lets pages of any origin act for their visitors and gives tokens to whoever asks: it is for tests alone.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"signalbox/signalr"
)

func main() {
	plain := flag.String("http", "127.0.0.1:5000", "address to listen on for http; port 0 takes a free one, empty is none")
	secure := flag.String("https", "", "address to listen on for https, with a certificate that is made at the start; empty is none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *plain, *secure, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "functionalhost:", err)
		os.Exit(1)
	}
}

// run serves both addresses, of which one may be empty, until ctx ends, and says on out where it listens.
func run(ctx context.Context, plain, secure string, out io.Writer) error {
	srv, err := signalr.NewServer(&signalr.ServerOptions{Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	web := &http.Server{Handler: newHandler(srv), ReadHeaderTimeout: 10 * time.Second}
	// Tests look at the reason phrase of refusals, which HTTP/2 does not have.
	web.Protocols = new(http.Protocols)
	web.Protocols.SetHTTP1(true)

	var serve []func() error
	if plain != "" {
		l, err := net.Listen("tcp", plain)
		if err != nil {
			return err
		}
		defer l.Close()
		serve = append(serve, func() error { return web.Serve(l) })
		fmt.Fprintf(out, "Now listening on: http://%s\n", l.Addr())
	}
	if secure != "" {
		cert, err := selfSigned(secure, time.Now())
		if err != nil {
			return err
		}
		web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		l, err := net.Listen("tcp", secure)
		if err != nil {
			return err
		}
		defer l.Close()
		serve = append(serve, func() error { return web.ServeTLS(l, "", "") })
		fmt.Fprintf(out, "Now listening on: https://%s\n", l.Addr())
	}
	if len(serve) == 0 {
		return errors.New("neither --http nor --https has an address")
	}
	return serveAll(ctx, srv, web, serve)
}

// serveAll runs all of serve until ctx ends or one fails, and then ends the connections and the others.
func serveAll(ctx context.Context, srv *signalr.Server, web *http.Server, serve []func() error) error {
	ended := make(chan error, len(serve))
	for _, f := range serve {
		go func() { ended <- f() }()
	}
	var failed error
	running := len(serve)
	select {
	case failed = <-ended:
		running--
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	failed = errors.Join(failed, srv.Shutdown(limit), web.Shutdown(limit))
	for range running {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
