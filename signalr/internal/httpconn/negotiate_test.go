package httpconn

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"signalbox/signalr/transport"
)

const allTransports = `[{"transport":"WebSockets","transferFormats":["Text","Binary"]},` +
	`{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]`

func serveNegotiate(b *bench, method, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ep.ServeNegotiate(w, request(b.t.Context(), method, "/c/negotiate?"+query, ""))
	return w
}

func TestNegotiate(t *testing.T) {
	const (
		v0        = `^\{"negotiateVersion":0,"connectionId":"[\w-]{22,}","availableTransports":`
		v1        = `^\{"negotiateVersion":1,"connectionId":"[\w-]{22}","connectionToken":"[\w-]{22,}","availableTransports":`
		noInteger = `{"error":"The client requested a non-integer protocol version."}`
	)
	refused := func(n string) string {
		return `{"error":"The client requested version '` + n + `', but the server does not support this version."}`
	}
	for _, row := range []struct {
		name, query string
		change      func(*EndpointOptions)
		want        string // the whole answer; or how it begins, if that starts with ^
		transports  string
	}{
		{name: "no version", want: v0},
		{name: "0", query: "negotiateVersion=0", want: v0},
		{name: "1", query: "negotiateVersion=1", want: v1},
		{name: "higher than there is", query: "negotiateVersion=27", want: v1},
		{name: "highest", query: "negotiateVersion=2147483647", want: v1},
		{name: "key in another case", query: "NEGOTIATEversion=1", want: v1},
		{name: "spaces", query: "negotiateVersion=%20%091%0A", want: v1},
		{name: "plus", query: "negotiateVersion=%2B1", want: v1},
		{name: "leading zeros", query: "negotiateVersion=0001", want: v1},
		{name: "minus zero", query: "negotiateVersion=-0", want: v0},
		{name: "other keys", query: "negotiateVersion=1&room=7", want: v1},
		{name: "negative", query: "negotiateVersion=-1", want: refused("-1")},
		{name: "empty", query: "negotiateVersion=", want: noInteger},
		{name: "no number", query: "negotiateVersion=one", want: noInteger},
		{name: "fraction", query: "negotiateVersion=1.0", want: noInteger},
		{name: "underscore", query: "negotiateVersion=1_0", want: noInteger},
		{name: "hexadecimal", query: "negotiateVersion=0x1", want: noInteger},
		{name: "beyond 32 bits", query: "negotiateVersion=2147483648", want: noInteger},
		{name: "twice", query: "negotiateVersion=1&negotiateVersion=1", want: noInteger},
		{name: "twice in different case", query: "negotiateVersion=1&negotiateversion=1", want: noInteger},
		{
			name: "below the minimum", change: func(o *EndpointOptions) { o.MinimumProtocolVersion = 1 }, want: refused("0"),
		},
		{
			name: "the minimum", query: "negotiateVersion=1", change: func(o *EndpointOptions) { o.MinimumProtocolVersion = 1 }, want: v1,
		},
		{
			name: "some transports", change: func(o *EndpointOptions) { o.Transports = transport.WebSockets | transport.LongPolling }, want: v0,
			transports: `[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]`,
		},
		{name: "no transports", change: func(o *EndpointOptions) { o.Transports = 0 }, want: v0, transports: `[]`},
		{name: "stateful reconnect where it is off", query: "negotiateVersion=1&useStatefulReconnect=true", want: v1},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.change == nil {
				row.change = func(*EndpointOptions) {}
			}
			b := newBench(t, row.change)
			w := serveNegotiate(b, http.MethodPost, row.query)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %q, want 200 application/json", w.Code, w.Header().Get("Content-Type"))
			}
			got := w.Body.String()
			if strings.HasPrefix(row.want, "^") {
				end := row.transports
				if end == "" {
					end = allTransports
				}
				if !regexp.MustCompile(row.want + regexp.QuoteMeta(end) + `\}$`).MatchString(got) {
					t.Errorf("got  %s\nwant %s%s}", got, row.want, end)
				}
			} else if got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if n := b.mgr.Count(); n != 0 {
				t.Errorf("negotiation has made %d connections", n)
			}
		})
	}
}

func TestNegotiateMethods(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := serveNegotiate(b, method, "negotiateVersion=1")
		wantAnswer(t, method, w, http.StatusMethodNotAllowed, "text/plain", "")
		if allow := w.Header().Get("Allow"); allow != "" {
			t.Errorf("%s: Allow is %q, want none (F-001)", method, allow)
		}
	}
}

// TestNegotiateVersion0: the id is the token (F-006).
func TestNegotiateVersion0(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBench(t)
		w := serveNegotiate(b, http.MethodPost, "")
		_, rest, _ := strings.Cut(w.Body.String(), `"connectionId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		b.do(http.MethodGet, at(id), "")
		if a := <-b.apps; a.c.ID() != id || a.c.Version() != 0 {
			t.Errorf("connection %q, version %d, want %q and 0", a.c.ID(), a.c.Version(), id)
		}
	})
}

func FuzzNegotiate(f *testing.F) {
	for _, q := range []string{"", "negotiateVersion=1", "negotiateVersion=-1", "NegotiateVersion=%201", "negotiateVersion=x;", "useStatefulReconnect=True", "%zz"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		b := &bench{t: t, mgr: newManager(t)}
		b.ep = b.mgr.NewEndpoint("/c", defaults(), b.newApp, captureTest, userOfTest)
		r := request(t.Context(), http.MethodPost, "/c/negotiate", "")
		r.URL = &url.URL{Path: "/c/negotiate", RawQuery: query}
		w := httptest.NewRecorder()
		b.ep.ServeNegotiate(w, r)
		if body := w.Body.String(); w.Code != http.StatusOK || !strings.HasPrefix(body, `{"error":"The client requested `) && !strings.HasSuffix(body, allTransports+"}") {
			t.Errorf("%d %s", w.Code, body)
		}
	})
}
