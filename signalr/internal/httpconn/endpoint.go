package httpconn

import (
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/signalr/internal/websocket"
	"signalbox/signalr/transport"
)

// EndpointOptions are the settings of an endpoint, all set; the defaults are the caller's business (F-004).
type EndpointOptions struct {
	Transports                      transport.Type
	ApplicationMaxBufferSize        int
	SendQueueLimit                  int
	CloseTimeout                    time.Duration
	PollTimeout                     time.Duration
	TransportSendTimeout            time.Duration // below zero: none
	MinimumProtocolVersion          int
	CloseOnAuthenticationExpiration bool
	AllowStatefulReconnects         bool
	// SubProtocol chooses the WebSocket sub-protocol; nil chooses none.
	SubProtocol func(offered []string) string
	// CheckOrigin says whether a WebSocket may be opened by a page of that origin.
	CheckOrigin func(r *http.Request) bool
}

// Endpoint is one path that connections are made at.
type Endpoint struct {
	mgr  *Manager
	log  *slog.Logger
	path string
	opts EndpointOptions
	hash uint32
	// newApp makes the App of a connection. It is called with the connection's lock held.
	newApp func(c *Conn, snap Snapshot) App
	// capture keeps what the App needs of the request that opens the transport.
	capture func(r *http.Request) Snapshot
	// user returns who sends a request, or empty.
	user func(r *http.Request) string
}

// NewEndpoint returns an endpoint of m. path tells endpoints apart; the others are as in [Endpoint].
func (m *Manager) NewEndpoint(path string, o EndpointOptions, newApp func(*Conn, Snapshot) App, capture func(*http.Request) Snapshot, user func(*http.Request) string) *Endpoint {
	log := m.log.With("endpoint", path)
	ep := &Endpoint{mgr: m, log: log, path: path, opts: o, hash: hashEndpoint(path), newApp: newApp, capture: capture, user: user}
	m.mu.Lock()
	m.endpoints[path] = ep
	m.mu.Unlock()
	return ep
}

// answer sends a plain answer: text/plain, with a length, as the reference does where it has nothing else to say.
func answer(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain")
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if body != "" {
		_, _ = io.WriteString(w, body) // a client that has gone reads nothing
	}
}

// ServeHTTP answers everything on the endpoint's path but negotiation (F-001, F-003).
func (ep *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ep.mgr.farm != nil && ep.mgr.farm.route(ep, w, r) {
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodConnect:
		ep.serveGet(w, r)
	case http.MethodPost, http.MethodDelete:
		c, status, text := ep.find(r)
		switch {
		case c == nil:
			answer(w, status, text)
		case r.Method == http.MethodPost:
			ep.servePost(w, r, c)
		default:
			ep.serveDelete(w, c)
		}
	default:
		answer(w, http.StatusMethodNotAllowed, "")
	}
}

func (ep *Endpoint) serveGet(w http.ResponseWriter, r *http.Request) {
	kind := transport.LongPolling
	switch {
	case acceptsEventStream(r):
		kind = transport.ServerSentEvents
	case websocket.IsUpgrade(r):
		kind = transport.WebSockets
	}
	if kind == transport.LongPolling {
		pollHeaders(w)
	}
	var c *Conn
	status, text := 0, ""
	_, named := queryValue(r, "id")
	if kind == transport.WebSockets && !ep.opts.CheckOrigin(r) {
		answer(w, http.StatusForbidden, "")
		return
	}
	if ep.opts.Transports&kind == 0 && kind == transport.WebSockets && !named {
		answer(w, http.StatusNotFound, kind.String()+notOffered)
		return
	}
	if kind == transport.WebSockets && !named {
		if ep.mgr.refuses() {
			refuse(w)
			return
		}
		k := newConnKey()
		if c = ep.mgr.add(ep, k, k.connectionID(), 0); c == nil {
			refuse(w)
			return
		}
	} else if c, status, text = ep.find(r); c == nil {
		if kind == transport.WebSockets && status == http.StatusNotFound {
			// The reference sends this one without a type (F-025); a nil entry keeps net/http from guessing.
			w.Header()["Content-Type"] = nil
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
		answer(w, status, text)
		return
	}
	if ep.opts.Transports&kind == 0 {
		answer(w, http.StatusNotFound, kind.String()+notOffered)
		return
	}
	turn, status, text := c.bind(kind, r)
	if turn == 1 {
		ep.log.Debug("connection started", "connection", c.id, "transport", kind.String())
	}
	switch {
	case status != 0:
		answer(w, status, text)
	case kind == transport.WebSockets:
		ep.serveWebSocket(w, r, c, turn)
	case kind == transport.ServerSentEvents:
		ep.serveSSE(w, r, c)
	default:
		ep.servePoll(w, r, c, turn == 1)
	}
}

// unknown is what is said of a connection that is not there (F-025).
const unknown = "No Connection with that ID"

const notOffered = " transport not supported by this end point type"

// acceptsEventStream says whether the Accept header lists text/event-stream without parameters (F-003).
func acceptsEventStream(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "text/event-stream") {
				return true
			}
		}
	}
	return false
}

// find returns the connection that the id of the request names (F-025), claiming it if it is a negotiated one that
// nobody has used; else the answer. A token opens connections of the endpoint that negotiated it, for the user who
// negotiated it, alone.
func (ep *Endpoint) find(r *http.Request) (c *Conn, status int, text string) {
	id, ok := queryValue(r, "id")
	if !ok {
		return nil, http.StatusBadRequest, "Connection ID required"
	}
	tok, err := ep.mgr.tokens.decode(id)
	if err != nil || tok.endpoint != ep.hash {
		return nil, http.StatusNotFound, unknown
	}
	if c = ep.mgr.lookup(tok.key); c == nil {
		// That of another node was not too old when its home gave it away.
		mine := ep.mgr.farm == nil || tok.home == ep.mgr.farm.self || tok.home == (home{})
		if mine && time.Since(tok.issued) > ep.mgr.disconnectTimeout {
			return nil, http.StatusNotFound, unknown
		}
		public := id
		if tok.version >= 1 {
			public = tok.key.connectionID()
		}
		if c = ep.mgr.add(ep, tok.key, public, tok.version); c == nil {
			return nil, http.StatusNotFound, unknown
		}
		if tok.stateful && ep.opts.AllowStatefulReconnects {
			c.mu.Lock()
			c.stateful = true
			c.mu.Unlock()
		}
	}
	user := ep.user(r)
	c.mu.Lock()
	gone := c.deleted || c.state == stateOver
	other := tok.user != 0 && hashUser(user) != tok.user || c.transport != 0 && user != c.user
	c.mu.Unlock()
	switch {
	case gone:
		return nil, http.StatusNotFound, unknown
	case other:
		return nil, http.StatusForbidden, ""
	}
	return c, 0, ""
}

// bind makes kind the connection's transport, or says why it cannot be (F-026 to F-028). turn is 1 for the
// request that binds it, and counts the WebSockets that come after.
func (c *Conn) bind(kind transport.Type, r *http.Request) (turn, status int, text string) {
	snap := c.ep.capture(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.transport != 0 && c.transport != kind:
		return 0, http.StatusBadRequest, "Cannot change transports mid-connection"
	case c.state == stateOver:
		return 0, http.StatusNotFound, ""
	case c.transport == 0:
		c.transport, c.state = kind, stateActive
		c.user, c.expires, c.started = snap.User, snap.expires(), c.mgr.now()
		c.app = c.ep.newApp(c, snap)
		if c.mgr.metrics != nil {
			c.mgr.metrics.ConnectionStarted(kind)
		}
		c.sockets = 1
		return 1, 0, ""
	case kind == transport.WebSockets && c.resumable && !c.finished && !c.inputOver:
		c.sockets++
		c.expires = snap.expires()
		return int(c.sockets), 0, "" // F-133
	case kind != transport.LongPolling:
		return 0, http.StatusConflict, ""
	case c.driver == nil: // the first poll is still being answered
		return 0, http.StatusConflict, ""
	}
	c.expires = snap.expires() // F-126: of the latest GET
	return 2, 0, ""
}

// queryValues returns the values of a key, whatever its case (F-016). What is no proper escape stands for itself, and so does
// a semicolon: a value that cannot be read is not one that is missing.
func queryValues(r *http.Request, key string) []string {
	var values []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if strings.EqualFold(unescape(k), key) {
			values = append(values, unescape(v))
		}
	}
	return values
}

// unescape is [url.QueryUnescape] for whatever comes.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			c = ' '
		case c == '%' && i+2 < len(s):
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				c = byte(n)
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

// queryValue returns the values of a key that are not empty, with commas between, as the reference does. ok is false
// when there is none, or one that is empty.
func queryValue(r *http.Request, key string) (value string, ok bool) {
	values := queryValues(r, key)
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return "", false
	}
	values = slices.DeleteFunc(values, func(s string) bool { return s == "" })
	return strings.Join(values, ","), true
}
