//go:build unix

package torture

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"
)

// balancer sends each request to the next server, whatever was before. A server that is not ready gets no new requests;
// from one that does not answer at all, those that it has are taken away.
type balancer struct {
	backends []*backend
	next     atomic.Uint64
	web      *httptest.Server
	to       *http.Transport
	checks   *http.Client
	ctx      context.Context // ends with the balancer
	cancel   context.CancelFunc
	checking sync.WaitGroup
}

type backend struct {
	host  string
	ready atomic.Bool
	mu    sync.Mutex
	alive context.Context // ends when the server does not answer; requests to it are cut then
	cut   context.CancelFunc
}

const (
	checkInterval = 200 * time.Millisecond
	// checkTimeout is for a machine with much to do; a server that was killed refuses at once.
	checkTimeout = 5 * time.Second
)

func newBalancer(nodes []*node) *balancer {
	b := &balancer{
		to:     &http.Transport{DialContext: (&net.Dialer{Timeout: checkTimeout}).DialContext, MaxIdleConnsPerHost: 64},
		checks: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: checkTimeout},
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for _, n := range nodes {
		to := &backend{host: n.address}
		to.alive, to.cut = context.WithCancel(b.ctx)
		b.backends = append(b.backends, to)
		b.checking.Go(func() { b.check(to) })
	}
	b.web = httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "server" // RoundTrip says which
			r.Out.Host = r.In.Host
		},
		Transport:     b,
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:      log.New(io.Discard, "", 0), // that servers are cut off is what this is for
	})
	b.web.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.web.Start()
	return b
}

func (b *balancer) close() {
	b.cancel()
	b.checking.Wait()
	b.web.CloseClientConnections()
	b.web.Close()
	b.to.CloseIdleConnections()
}

var errNoServer = errors.New("no server is ready")

// RoundTrip implements [http.RoundTripper]. Only what no server has heard of goes to a second one.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	err := errNoServer
	for range b.backends {
		to := b.backends[b.next.Add(1)%uint64(len(b.backends))]
		if !to.ready.Load() {
			continue
		}
		var res *http.Response
		if res, err = b.send(r, to); err == nil || !refused(err) {
			return res, err
		}
		to.ready.Store(false) // until the next check
	}
	return nil, err
}

func refused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func (b *balancer) send(r *http.Request, to *backend) (*http.Response, error) {
	to.mu.Lock()
	alive := to.alive
	to.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(alive, cancel)
	over := func() { stop(); cancel() }
	out := r.Clone(ctx)
	out.URL.Host = to.host
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = io.NopCloser(r.Body) // a server that refuses must not close it for the next one
	}
	res, err := b.to.RoundTrip(out)
	if err != nil {
		over()
		return nil, err
	}
	if stream, ok := res.Body.(io.ReadWriteCloser); ok { // a WebSocket, which does not end with its context
		stopStream := context.AfterFunc(alive, func() { _ = stream.Close() })
		res.Body = upgraded{stream, func() { stopStream(); over() }}
		return res, nil
	}
	res.Body = answered{res.Body, over}
	return res, nil
}

// answered and upgraded tell when an answer is over.
type answered struct {
	io.ReadCloser
	over func()
}

// Close implements [io.Closer].
func (a answered) Close() error {
	defer a.over()
	return a.ReadCloser.Close()
}

type upgraded struct {
	io.ReadWriteCloser
	over func()
}

// Close implements [io.Closer].
func (u upgraded) Close() error {
	defer u.over()
	return u.ReadWriteCloser.Close()
}

// check asks a server whether it is ready, until the balancer ends.
func (b *balancer) check(to *backend) {
	for {
		req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "http://"+to.host+"/readyz", nil)
		var res *http.Response
		if err == nil {
			res, err = b.checks.Do(req)
		}
		if err == nil {
			_ = res.Body.Close()
		}
		to.ready.Store(err == nil && res.StatusCode == http.StatusOK)
		to.mu.Lock()
		switch {
		case err != nil:
			to.cut()
		case to.alive.Err() != nil && b.ctx.Err() == nil:
			to.alive, to.cut = context.WithCancel(b.ctx)
		}
		to.mu.Unlock()
		if !pause(b.ctx, checkInterval) {
			return
		}
	}
}
