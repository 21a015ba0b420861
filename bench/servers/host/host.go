// Package host runs a server under test: it listens where the command line says, tells where that is, and answers the
// questions about memory that a benchmark has. It is a module without dependencies, for servers that have their own.
package host

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // for profiles of a run
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// Run serves [http.DefaultServeMux] until the process is told to end, and exits. The flags are --urls, the address; port
// 0 takes a free one; and --cert and --key, the files that https needs. The first line of output is LISTENING and the
// address. GET /stats tells the size of the heap, with ?gc=2 after a full collection that gives memory back. setUp adds
// the program's own handlers once flags are parsed; shutdown is called first when the server ends, and may be nil.
func Run(setUp func() (shutdown func(context.Context) error, err error)) {
	urls := flag.String("urls", "http://127.0.0.1:0", "address to listen on, http or https; port 0 takes a free one")
	cert := flag.String("cert", "", "file of the certificate, for https")
	key := flag.String("key", "", "file of its key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	shutdown, err := setUp()
	if err == nil {
		err = serve(ctx, *urls, *cert, *key, shutdown)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, address, cert, key string, shutdown func(context.Context) error) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("--urls %q: want http://host:port", address)
	}
	http.HandleFunc("GET /stats", stats)
	ln, err := net.Listen("tcp", u.Host)
	if err != nil {
		return err
	}
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() {
		if u.Scheme == "https" {
			failed <- web.ServeTLS(ln, cert, key)
			return
		}
		failed <- web.Serve(ln)
	}()
	fmt.Printf("LISTENING %s://%s\n", u.Scheme, ln.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if shutdown != nil {
		err = shutdown(limit)
	}
	return errors.Join(err, web.Shutdown(limit))
}

func stats(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("gc") == "2" {
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "heap=%d stack=%d goroutines=%d\n", m.HeapInuse, m.StackInuse, runtime.NumGoroutine())
}
