package signalr

import (
	"context"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"signalbox/signalr/internal/httpconn"
)

// Request is what a connection keeps of the HTTP request that opened its transport, as a compact copy: the request
// itself, with its buffers, is gone by then (F-014). Headers of the WebSocket handshake are left out. It does not change.
//
// ASP.NET Core: HubCallerContext.GetHttpContext().
type Request struct {
	// Path is the path of the hub as the client spelled it.
	Path string
	// Host is the host that the client asked for.
	Host string
	// RemoteAddr is the address of the other end, which may be a proxy.
	RemoteAddr string
	rawQuery   string
	headers    string // Name: value lines, names in canonical form
	identity   Identity
	base       context.Context // of ConnectionOptions.BaseContext, or nil
}

func newRequest(r *http.Request) *Request {
	buf := make([]byte, 0, 4096) // on the stack, as a rule; what is kept is one string of the right size
	part := func(s string) (end int) {
		buf = append(buf, s...)
		return len(buf)
	}
	path := part(r.URL.Path)
	host := part(r.Host)
	addr := part(r.RemoteAddr)
	query := part(r.URL.RawQuery)
	for name, values := range r.Header {
		if handshakeHeader(name) {
			continue
		}
		for _, v := range values {
			buf = append(append(append(append(buf, name...), ':'), v...), '\n') // no header value has one
		}
	}
	id, _ := IdentityFrom(r.Context())
	s := string(buf)
	return &Request{
		Path: s[:path], Host: s[path:host], RemoteAddr: s[host:addr], rawQuery: s[addr:query], headers: s[query:],
		identity: id,
	}
}

// handshakeHeader says whether a header serves to make the WebSocket alone, so that nobody needs it afterwards.
func handshakeHeader(name string) bool {
	switch name {
	case "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		return true
	}
	return false
}

// Query returns the values of the query, parsed anew at each call.
func (r *Request) Query() url.Values {
	q, _ := url.ParseQuery(r.rawQuery) // what is malformed is left out, as net/http does
	return q
}

// Header returns the first value of a header, whatever its case, and whether the request had it.
func (r *Request) Header(name string) (value string, ok bool) {
	for v := range r.values(name) {
		return v, true
	}
	return "", false
}

// Cookie returns the value of a cookie, and whether the request had it.
func (r *Request) Cookie(name string) (value string, ok bool) {
	h := make(http.Header)
	for v := range r.values("Cookie") {
		h.Add("Cookie", v)
	}
	c, err := (&http.Request{Header: h}).Cookie(name) // lenient, as servers are
	if err != nil {
		return "", false
	}
	return c.Value, true
}

func (r *Request) values(name string) func(yield func(string) bool) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return func(yield func(string) bool) {
		for line := range strings.Lines(r.headers) {
			k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if k == name && !yield(v) {
				return
			}
		}
	}
}

// capture returns what endpoints keep of the request that opens a transport.
func capture(base func(*http.Request) context.Context) func(*http.Request) httpconn.Snapshot {
	return func(r *http.Request) httpconn.Snapshot {
		req := newRequest(r)
		if base != nil {
			req.base = base(r)
		}
		return httpconn.Snapshot{User: req.identity.UserID, Expires: req.identity.Expires, Value: req}
	}
}

// withValues returns ctx with the values of the request's base context, if there is one.
func (r *Request) withValues(ctx context.Context) context.Context {
	if r.base == nil {
		return ctx
	}
	return &valuesContext{ctx, r.base}
}

// valuesContext is a context that has the values of another, too.
type valuesContext struct {
	context.Context
	values context.Context
}

// Value implements [context.Context]. The context's own values come first: package context finds by them what ends it.
func (c *valuesContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}

func requestUser(r *http.Request) string {
	id, _ := IdentityFrom(r.Context())
	return id.UserID
}
