package signalr

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"signalbox/signalr/internal/httpconn"
)

// Request is what a connection keeps of the HTTP request that opened its transport, as a compact copy: the request
// itself, with its buffers, is gone by then (F-014). It does not change.
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
}

func newRequest(r *http.Request) *Request {
	var b strings.Builder
	for name, values := range r.Header {
		for _, v := range values {
			b.WriteString(name)
			b.WriteByte(':')
			b.WriteString(v)
			b.WriteByte('\n') // no header value has one
		}
	}
	id, _ := IdentityFrom(r.Context())
	return &Request{
		Path: strings.Clone(r.URL.Path), Host: strings.Clone(r.Host), RemoteAddr: r.RemoteAddr,
		rawQuery: strings.Clone(r.URL.RawQuery), headers: b.String(), identity: id,
	}
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

// capture is what endpoints keep of the request that opens a transport.
func capture(r *http.Request) httpconn.Snapshot {
	req := newRequest(r)
	return httpconn.Snapshot{User: req.identity.UserID, Expires: req.identity.Expires, Value: req}
}

func requestUser(r *http.Request) string {
	id, _ := IdentityFrom(r.Context())
	return id.UserID
}
