package httpconn

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/signalr/internal/websocket"
)

// FarmOptions make a Manager one node of several that look like one server: any request may reach any node.
type FarmOptions struct {
	// Address is where other nodes reach this node's [Manager.FarmHandler]. It stands in the tokens that the node issues.
	Address netip.AddrPort
	// Scheme is "http" or "https".
	Scheme string
	// Transport reaches the other nodes.
	Transport *http.Transport
	// Marshal returns what middleware has found out about a request, to be handed over with it.
	Marshal func(r *http.Request) ([]byte, error)
	// Unmarshal puts that into the context of the request at the other node.
	Unmarshal func(ctx context.Context, data []byte) (context.Context, error)
}

// farm passes requests on to the nodes that their connections live on.
//
// The token of a connection names its home, the node that issued it. Server-sent events, long polling and connections
// that can be resumed live there: whatever reaches another node is passed on, with who sends it, sealed. A plain WebSocket
// stays where it landed, which needs no request but the first; its token is claimed at its home, so that it makes one
// connection however often and wherever it is played. There is no list of nodes and nothing to keep in step: who can
// read a token can reach its home.
type farm struct {
	m     *Manager
	opts  FarmOptions
	self  home
	proxy *httputil.ReverseProxy
	log   *slog.Logger

	watchers sync.WaitGroup

	mu      sync.Mutex
	peers   map[home]*peer
	gone    map[home]Instant // nodes that do not answer, until when they are not asked again
	streams map[*passedStream]struct{}
	closed  bool
}

var (
	errPeerGone = errors.New("the node does not answer")
	errNotOurs  = errors.New("the node at the home's address is not of this farm")
	errLeaving  = errors.New("this node is going down")
)

// claimTimeout bounds how long the home of a token may take to say whether it may be used.
const claimTimeout = 5 * time.Second

func newFarm(m *Manager, o FarmOptions) *farm {
	f := &farm{
		m: m, opts: o, log: m.log, self: home{addr: netip.AddrPortFrom(o.Address.Addr().Unmap(), o.Address.Port())},
		peers: make(map[home]*peer), gone: make(map[home]Instant), streams: make(map[*passedStream]struct{}),
	}
	_, _ = rand.Read(f.self.node[:]) // never fails
	f.proxy = &httputil.ReverseProxy{
		Rewrite:       f.rewrite,
		Transport:     o.Transport,
		FlushInterval: -1,
		BufferPool:    proxyBuffers{&m.buffers},
		ModifyResponse: func(resp *http.Response) error {
			if resp.Header.Get(handoverHeader) == "" {
				return nil
			}
			_ = resp.Body.Close()
			return errNotOurs
		},
		ErrorHandler: f.failed,
		ErrorLog:     slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	return f
}

// proxyBuffers lends the buffers of a bufferPool to a [httputil.ReverseProxy].
type proxyBuffers struct{ pool *bufferPool }

func (p proxyBuffers) Get() []byte  { return p.pool.get()[:] }
func (p proxyBuffers) Put(b []byte) { p.pool.put((*[bufferSize]byte)(b)) }

// handover is what a node says of a request that it passes on.
type handover struct {
	Node       [8]byte // who is meant
	Issued     int64   // in milliseconds since 1970
	Endpoint   string  // the path that was mapped
	Path       string  // as the client spelled it
	Host       string
	RemoteAddr string
	Identity   []byte // by FarmOptions.Marshal
}

// handoverHeader carries a sealed handover.
const handoverHeader = "Signalr-Handover"

// handoverAge is how old a handover may be, and how far the clocks of nodes may be apart.
const handoverAge = time.Minute

const (
	pathConnection = "/connection"
	pathClaim      = "/claim"
	pathPing       = "/ping"
)

// passedOn marks the context of a request that another node has passed on, or is being passed on to one.
type passedOn struct {
	to     home
	header string // the sealed handover
}

type passedOnKey struct{}

// route sends a request to the home of its connection if that is another node, and says whether it did. When it did
// not the request is this node's to answer.
func (f *farm) route(ep *Endpoint, w http.ResponseWriter, r *http.Request) (done bool) {
	id, _ := queryValue(r, "id")
	tok, err := f.m.tokens.decode(id)
	if err != nil || tok.endpoint != ep.hash || tok.home == f.self || tok.home == (home{}) || f.m.lookup(tok.key) != nil {
		return false
	}
	if _, twice := r.Context().Value(passedOnKey{}).(*passedOn); twice {
		unknownConnection(w) // its home was another process at this address
		return true
	}
	if tok.user != 0 && hashUser(ep.user(r)) != tok.user {
		answer(w, http.StatusForbidden, "")
		return true
	}
	socket := r.Method == http.MethodGet && !acceptsEventStream(r) && websocket.IsUpgrade(r)
	if socket && !ep.opts.CheckOrigin(r) {
		return false // is refused there
	}
	ctx, leave, err := f.enter(r.Context(), tok.home)
	if err != nil {
		f.failed(w, r, err)
		return true
	}
	defer leave()
	p := &passedOn{to: tok.home}
	if socket && !tok.stateful {
		if err := f.claim(ctx, ep, r, p); err != nil {
			f.failed(w, r, err)
			return true
		}
		return false
	}
	if p.header, err = f.seal(ep, r, p.to, r.Method, internalURI(pathConnection, r)); err != nil {
		f.failed(w, r, err)
		return true
	}
	if r.Method == http.MethodGet {
		unlimited(http.NewResponseController(w))
		if socket || acceptsEventStream(r) {
			var over func()
			ctx, over = f.stream(ctx)
			defer over()
		}
	}
	f.proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, passedOnKey{}, p)))
	return true
}

func internalURI(path string, r *http.Request) string { return path + "?" + r.URL.RawQuery }

// rewrite directs a request at the home of its connection. What proxies on the way have said of the client stays.
func (f *farm) rewrite(pr *httputil.ProxyRequest) {
	p, _ := pr.In.Context().Value(passedOnKey{}).(*passedOn)
	pr.Out.URL = &url.URL{Scheme: f.opts.Scheme, Host: p.to.addr.String(), Path: pathConnection, RawQuery: pr.In.URL.RawQuery}
	pr.Out.Host = ""
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v := pr.In.Header[name]; v != nil {
			pr.Out.Header[name] = v
		}
	}
	pr.Out.Header.Set(handoverHeader, p.header)
}

// claim asks the home of a token to let this node have the connection.
func (f *farm) claim(ctx context.Context, ep *Endpoint, r *http.Request, p *passedOn) error {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	u := url.URL{Scheme: f.opts.Scheme, Host: p.to.addr.String(), Path: pathClaim, RawQuery: r.URL.RawQuery}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return err
	}
	header, err := f.seal(ep, r, p.to, req.Method, req.URL.RequestURI())
	if err != nil {
		return err
	}
	req.Header.Set(handoverHeader, header)
	resp, err := f.opts.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10)) // so that the connection can be used again
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the home of the connection does not give it away: %s", resp.Status)
	}
	return nil
}

// seal makes the handover of r, for a request of that method and URI.
func (f *farm) seal(ep *Endpoint, r *http.Request, to home, method, uri string) (string, error) {
	identity, err := f.opts.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("handing over the identity: %w", err)
	}
	plain, err := json.Marshal(handover{
		Node: to.node, Issued: time.Now().UnixMilli(), Endpoint: ep.path, Path: r.URL.Path, Host: r.Host,
		RemoteAddr: r.RemoteAddr, Identity: identity,
	})
	if err != nil {
		return "", fmt.Errorf("handing over a request: %w", err)
	}
	return f.m.tokens.seal(plain, []byte(method+" "+uri)), nil
}

// failed answers a request that could not be passed on.
func (f *farm) failed(w http.ResponseWriter, r *http.Request, err error) {
	if cause := context.Cause(r.Context()); cause != nil {
		err = cause
	}
	f.log.Debug("a request could not be passed on to the home of its connection", "error", err)
	poll := r.Method == http.MethodGet && !acceptsEventStream(r) && !websocket.IsUpgrade(r)
	if errors.Is(err, errLeaving) && poll {
		// The connection lives on: the next poll finds another node that knows the way.
		pollHeaders(w)
		w.Header().Set("Connection", "close")
		answer(w, http.StatusOK, "")
		return
	}
	unknownConnection(w)
}

// unknownConnection tells a client to connect anew (F-025).
func unknownConnection(w http.ResponseWriter) {
	answer(w, http.StatusNotFound, unknown)
}

// FarmHandler answers the other nodes of the farm. It is for an address that clients cannot reach, and lets in nobody who
// does not have the farm's key. Without a farm it answers 404.
func (m *Manager) FarmHandler() http.Handler {
	if m.farm == nil {
		return http.NotFoundHandler()
	}
	return http.HandlerFunc(m.farm.serve)
}

func (f *farm) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pathPing {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h, err := f.unseal(r)
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	ep := f.m.endpoint(h.Endpoint)
	if ep == nil || h.Node != f.self.node {
		unknownConnection(w)
		return
	}
	switch {
	case r.URL.Path == pathConnection:
		ctx, err := f.opts.Unmarshal(context.WithValue(r.Context(), passedOnKey{}, &passedOn{to: f.self}), h.Identity)
		if err != nil {
			f.refuse(w, r, err)
			return
		}
		in := r.WithContext(ctx)
		in.Header = r.Header.Clone()
		in.Header.Del(handoverHeader)
		in.Host, in.RemoteAddr = h.Host, h.RemoteAddr
		in.URL = &url.URL{Path: h.Path, RawQuery: r.URL.RawQuery}
		in.RequestURI = in.URL.RequestURI()
		ep.ServeHTTP(w, in)
	case r.URL.Path == pathClaim && r.Method == http.MethodPost:
		id, _ := queryValue(r, "id")
		tok, err := f.m.tokens.decode(id)
		if err != nil || tok.endpoint != ep.hash || tok.home != f.self || !f.m.giveAway(tok) {
			unknownConnection(w)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

// refuse answers a request that is not from a node of this farm. The header tells its sender that this is not an answer
// to be passed back.
func (f *farm) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f.log.Warn("refused a request that should be another node's", "from", r.RemoteAddr, "error", err)
	w.Header().Set(handoverHeader, "refused")
	w.WriteHeader(http.StatusUnauthorized)
}

// unseal opens the handover of a request and checks that it is fresh and belongs to it.
func (f *farm) unseal(r *http.Request) (handover, error) {
	var h handover
	plain, err := f.m.tokens.unseal(r.Header.Get(handoverHeader), []byte(r.Method+" "+r.URL.RequestURI()))
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(plain, &h); err != nil {
		return h, fmt.Errorf("reading a handover: %w", err)
	}
	if age := time.Since(time.UnixMilli(h.Issued)); age > handoverAge || age < -handoverAge {
		return h, fmt.Errorf("the handover is %v old", age)
	}
	return h, nil
}

// giveAway marks a token as used if it may still be, so that another node can have its connection.
func (m *Manager) giveAway(tok token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, spent := m.spent[tok.key]
	if spent || m.conns[tok.key] != nil || time.Since(tok.issued) > m.disconnectTimeout {
		return false
	}
	m.spent[tok.key] = m.now() + Instant(m.disconnectTimeout)
	m.startTicksLocked()
	return true
}

// peer is another node while requests are being passed on to it. One that does not answer, though its machine keeps
// the sockets open, would otherwise hold them for ever.
type peer struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	inFlight int // guarded by farm.mu
}

const (
	pingInterval = time.Second
	pingTimeout  = 2 * time.Second
	pingFailures = 2               // so many in a row mean that the node is gone
	goneFor      = 5 * time.Second // for so long it is not asked again
)

// enter says that a request is about to be passed on to a node. Its context ends when that node is gone, or this one
// goes down; leave must be called when it has been answered.
func (f *farm) enter(ctx context.Context, to home) (_ context.Context, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, errLeaving
	}
	now := f.m.now()
	maps.DeleteFunc(f.gone, func(_ home, until Instant) bool { return until <= now })
	if _, gone := f.gone[to]; gone {
		return nil, nil, errPeerGone // one that was started again at the same address is another
	}
	p := f.peers[to]
	if p == nil {
		p = &peer{}
		p.ctx, p.cancel = context.WithCancelCause(context.Background())
		f.peers[to] = p
		f.watchers.Go(func() { f.watch(to, p) })
	}
	p.inFlight++
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(p.ctx, func() { cancel(context.Cause(p.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
		f.mu.Lock()
		p.inFlight--
		f.mu.Unlock()
	}, nil
}

// passedStream is a request that is passed on and lasts as long as its connection: when it is cut the client connects
// anew, while one that is cut off from a poll just polls again.
type passedStream struct {
	cancel  context.CancelCauseFunc
	leaving atomic.Bool
}

// stream says that a stream is about to be passed on; over must be called when it has ended.
func (f *farm) stream(ctx context.Context) (_ context.Context, over func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &passedStream{cancel: cancel}
	f.mu.Lock()
	f.streams[s] = struct{}{}
	f.mu.Unlock()
	return ctx, func() {
		cancel(nil)
		f.mu.Lock()
		delete(f.streams, s)
		f.mu.Unlock()
	}
}

func (s *passedStream) stays() bool { return !s.leaving.Load() }

func (s *passedStream) shutdown() {
	s.leaving.Store(true)
	s.cancel(errLeaving)
}

// staying returns the streams that are not on their way out.
func (f *farm) staying() []leaver {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]leaver, 0, len(f.streams))
	for s := range f.streams {
		if s.stays() {
			list = append(list, s)
		}
	}
	return list
}

// watch asks a node whether it is there for as long as requests are being passed on to it.
func (f *farm) watch(to home, p *peer) {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	failures := 0
	for {
		select {
		case <-ticker.C:
		case <-p.ctx.Done():
			return
		}
		f.mu.Lock()
		idle := p.inFlight == 0
		if idle {
			delete(f.peers, to)
		}
		f.mu.Unlock()
		if idle {
			p.cancel(nil)
			return
		}
		if f.ping(p.ctx, to.addr) {
			failures = 0
			continue
		}
		if failures++; failures < pingFailures {
			continue
		}
		f.log.Warn("another node of the farm does not answer", "address", to.addr.String())
		f.mu.Lock()
		delete(f.peers, to)
		f.gone[to] = f.m.now() + Instant(goneFor)
		f.mu.Unlock()
		p.cancel(errPeerGone)
		return
	}
}

func (f *farm) ping(ctx context.Context, addr netip.AddrPort) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	u := url.URL{Scheme: f.opts.Scheme, Host: addr.String(), Path: pathPing}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false
	}
	resp, err := f.opts.Transport.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusNoContent
}

// close cuts the requests that are being passed on and passes on no more. The connections live on at their homes.
func (f *farm) close() {
	f.mu.Lock()
	f.closed = true
	for to, p := range f.peers {
		p.cancel(errLeaving)
		delete(f.peers, to)
	}
	f.mu.Unlock()
	f.watchers.Wait()
	f.opts.Transport.CloseIdleConnections()
}

// NewFarmTransport returns what reaches other nodes unless something else is wanted.
func NewFarmTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		TLSHandshakeTimeout: 2 * time.Second,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
}

// pollHeaders are what every answer to a poll has (F-033).
func pollHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}
