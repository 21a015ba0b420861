package farm

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"
)

// NodeHeader is set by the balancer in each answer: the name of the node that it is from.
const NodeHeader = "Farm-Node"

// proxy is the balancer. Each request goes to the next node, whatever was before. A node that cannot be connected to,
// or does not answer, is left out until it answers again. A request that could not be sent goes to the next node; one
// that was sent is never repeated, not even a GET: the answer to a poll that was lost with a node was an answer.
type proxy struct {
	backends []*backend
	next     atomic.Uint64
	reverse  *httputil.ReverseProxy
	to       *http.Transport
	mux      *http.ServeMux

	ctx      context.Context // ends with the balancer
	cancel   context.CancelFunc
	checking sync.WaitGroup
}

// backend is a node as the balancer sees it.
type backend struct {
	node *Node

	mu   sync.Mutex
	up   context.Context // ends when the node is left out; requests to it are cut then
	down context.CancelCauseFunc
}

var (
	errNodeGone = errors.New("the node was left out")
	errNoNode   = errors.New("there is no node")
)

const (
	checkInterval = 500 * time.Millisecond
	checkTimeout  = 2 * time.Second
	checkFailures = 3 // so many in a row mean that a node does not answer
)

func newProxy(nodes []*Node) *proxy {
	p := &proxy{to: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: checkTimeout}).DialContext,
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
	}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.reverse = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "node", r.In.Host // RoundTrip says which
			r.SetXForwarded()
		},
		Transport:     p,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0), // clients and nodes that are cut are what the balancer is for
	}
	for _, n := range nodes {
		b := &backend{node: n}
		b.up, b.down = context.WithCancelCause(p.ctx)
		p.backends = append(p.backends, b)
		p.checking.Go(func() { p.check(b) })
	}
	p.mux = http.NewServeMux()
	p.mux.HandleFunc("GET /connections", p.connections)
	p.mux.HandleFunc("GET /stats", p.stats)
	p.mux.HandleFunc("/", p.forward)
	return p
}

func (p *proxy) close() {
	p.cancel()
	p.checking.Wait()
	p.to.CloseIdleConnections()
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// flight is one request on its way through the balancer.
type flight struct {
	cancel context.CancelFunc
	ended  []func() // for when it is over
}

type flightKey struct{}

func (p *proxy) forward(w http.ResponseWriter, r *http.Request) {
	fl := &flight{}
	var ctx context.Context
	ctx, fl.cancel = context.WithCancel(context.WithValue(r.Context(), flightKey{}, fl))
	defer fl.cancel()
	defer func() {
		for _, f := range fl.ended {
			f()
		}
	}()
	p.reverse.ServeHTTP(w, r.WithContext(ctx))
}

// RoundTrip sends a request to the next node that can be connected to.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	fl := r.Context().Value(flightKey{}).(*flight)
	if r.Body != nil {
		defer r.Body.Close()
	}
	err := errNoNode
	for range p.backends {
		b, up := p.pick()
		if b == nil {
			break
		}
		ctx, cancel := context.WithCancel(r.Context())
		stop := context.AfterFunc(up, cancel)
		fl.ended = append(fl.ended, func() { stop(); cancel() })
		out := r.Clone(ctx)
		out.URL.Host = b.node.Host
		if r.Body != nil && r.ContentLength != 0 {
			out.Body = io.NopCloser(r.Body) // a failed attempt must not close it
		}
		var resp *http.Response
		if resp, err = p.to.RoundTrip(out); err == nil {
			resp.Header.Set(NodeHeader, b.node.Name)
			if resp.StatusCode == http.StatusSwitchingProtocols {
				stop := context.AfterFunc(up, fl.cancel)
				fl.ended = append(fl.ended, func() { stop() })
			}
			return resp, nil
		}
		if r.Context().Err() != nil || !isDial(err) {
			break
		}
		b.leaveOut(err)
	}
	return nil, err
}

// isDial says that nothing was sent: there was no connection.
func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// pick returns the next node that is not left out, or nil.
func (p *proxy) pick() (*backend, context.Context) {
	for range p.backends {
		b := p.backends[int(p.next.Add(1)%uint64(len(p.backends)))]
		if up := b.state(); up.Err() == nil {
			return b, up
		}
	}
	return nil, nil
}

func (b *backend) state() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.up
}

func (b *backend) leaveOut(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down(errors.Join(errNodeGone, err))
}

// check asks a node whether it is there, until the balancer ends. Any answer will do.
func (p *proxy) check(b *backend) {
	defer b.leaveOut(nil)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: checkTimeout}
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	failures := 0
	for {
		select {
		case <-ticker.C:
		case <-p.ctx.Done():
			return
		}
		err := ask(p.ctx, &client, "http://"+b.node.Host+"/")
		switch {
		case err == nil:
			failures = 0
			b.mu.Lock()
			if b.up.Err() != nil && p.ctx.Err() == nil {
				b.up, b.down = context.WithCancelCause(p.ctx)
			}
			b.mu.Unlock()
		case isDial(err):
			b.leaveOut(err)
		default:
			if failures++; failures >= checkFailures {
				b.leaveOut(err)
			}
		}
	}
}

func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
