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
	headers    string         // Name: value lines, names in canonical form
	identity   *Identity      // nil for nobody
	ctx        *valuesContext // with ConnectionOptions.BaseContext, if there is one
}

func newRequest(r *http.Request) *Request {
	path := len(r.URL.Path)
	host := path + len(r.Host)
	addr := host + len(r.RemoteAddr)
	query := addr + len(r.URL.RawQuery)
	header := func(use func(parts ...string)) {
		for name, values := range r.Header {
			if handshakeHeader(name) {
				continue
			}
			for _, v := range values {
				use(name, ":", v, "\n") // no value has a line feed
			}
		}
	}
	size := query
	header(func(parts ...string) {
		for _, part := range parts {
			size += len(part)
		}
	})
	var all strings.Builder // one piece of memory for all, of the right size
	all.Grow(size)
	write := func(parts ...string) {
		for _, part := range parts {
			all.WriteString(part)
		}
	}
	write(r.URL.Path, r.Host, r.RemoteAddr, r.URL.RawQuery)
	header(write)
	s := all.String()
	req := &Request{
		Path: s[:path], Host: s[path:host], RemoteAddr: s[host:addr], rawQuery: s[addr:query], headers: s[query:],
	}
	if id, ok := r.Context().Value(identityKey{}).(Identity); ok {
		req.identity = &id
	}
	return req
}

// user returns the user's id, or empty.
func (r *Request) user() string {
	if r.identity == nil {
		return ""
	}
	return r.identity.UserID
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
			if values := base(r); values != nil {
				req.ctx = &valuesContext{values: values}
			}
		}
		snap := httpconn.Snapshot{User: req.user(), Value: req}
		if req.identity != nil {
			snap.Expires = req.identity.Expires
		}
		return snap
	}
}

// context returns ctx with the values of the request's base context, if there is one. It is called once, before anybody
// else knows the request.
func (r *Request) context(ctx context.Context) context.Context {
	if r.ctx == nil {
		return ctx
	}
	r.ctx.Context = ctx
	return r.ctx
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
