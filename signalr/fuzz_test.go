package signalr

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/signalr/protocol"
	"signalbox/signalr/protocol/jsonprotocol"
	"signalbox/signalr/protocol/msgpackprotocol"
)

// cuts says where bytes are cut, by a number that it makes others of.
type cuts uint64

// next returns how many of n bytes come next: mostly a few, sometimes all.
func (c *cuts) next(n int) int {
	*c = *c*6364136223846793005 + 1442695040888963407
	if k := int(*c >> 58); k > 0 {
		return min(n, k)
	}
	return n
}

// choppedBody is a request's body that gives its bytes in pieces, and fails instead of its end if it is to.
type choppedBody struct {
	rest []byte
	cut  *cuts
	fail bool
}

func (b *choppedBody) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		if b.fail {
			return 0, errors.New("the client is gone")
		}
		return 0, io.EOF
	}
	n := copy(p, b.rest[:b.cut.next(len(b.rest))])
	b.rest = b.rest[n:]
	return n, nil
}

// fuzzHub has a method of each kind.
func fuzzHub() *Hub {
	h := NewHub(&HubOptions{
		Protocols: []protocol.HubProtocol{jsonprotocol.New(nil), msgpackprotocol.New(nil)}, EnableDetailedErrors: true,
		MaximumReceiveMessageSize: 1000,
	})
	h.Handle("Echo", Func1(func(_ context.Context, _ *Caller, v any) (any, error) { return v, nil }))
	h.Handle("Fail", Action0(func(context.Context, *Caller) error { return Errorf("failed") }))
	h.Handle("Ask", Func0(func(ctx context.Context, c *Caller) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return Invoke[int](ctx, c.Clients().Caller(), "Answer")
	}))
	h.HandleStream("Count", Stream1(func(_ context.Context, _ *Caller, n int) iter.Seq2[int, error] {
		return func(yield func(int, error) bool) {
			for i := range min(n, 10) {
				if !yield(i, nil) {
					return
				}
			}
		}
	}))
	h.Register(Method{Name: "Sum", StreamArgs: 1, Invoke: func(_ context.Context, inv *Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		sum := 0
		for n, err := range StreamArg[int](inv, 0) {
			if err != nil {
				return nil, err
			}
			sum += n
		}
		return sum, nil
	}})
	return h
}

// fuzzSeeds are what clients post, good and bad, behind a handshake.
func fuzzSeeds(f *testing.F) (seeds [][]byte) {
	const jsonStart = `{"protocol":"json","version":1}` + separator
	for _, s := range []string{
		`{"type":1,"invocationId":"1","target":"Echo","arguments":["x"]}`,
		`{"type":1,"target":"Fail","arguments":[]}` + separator + `{"type":6}`,
		`{"type":1,"invocationId":"1","target":"Ask","arguments":[]}` + separator + `{"type":3,"invocationId":"s1","result":5}`,
		`{"type":4,"invocationId":"1","target":"Count","arguments":[5]}` + separator + `{"type":5,"invocationId":"1"}`,
		`{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["u"]}` + separator + `{"type":2,"invocationId":"u","item":7}` +
			separator + `{"type":3,"invocationId":"u"}`,
		`{"type":1,"invocationId":"1","target":"NoSuch","arguments":[]}` + separator + `{"type":7,"error":"bye"}`,
		`{"type":1,`, `{"type":99}`, strings.Repeat("x", 2000), `{"type":8,"sequenceId":1}` + separator + `{"type":9,"sequenceId":9}`,
	} {
		seeds = append(seeds, []byte(jsonStart+s+separator), []byte(jsonStart+s))
	}
	mp := msgpackprotocol.New(nil)
	for _, m := range []protocol.Message{
		&protocol.Invocation{InvocationID: "1", Target: "Echo", Arguments: []any{[]any{1, "x", nil}}},
		&protocol.Invocation{InvocationID: "2", Target: "Count", Arguments: []any{3}, Stream: true},
		&protocol.Invocation{InvocationID: "3", Target: "Sum", Arguments: []any{}, StreamIDs: []string{"u"}},
		&protocol.StreamItem{InvocationID: "u", Item: 4}, &protocol.Completion{InvocationID: "u"}, &protocol.Ping{},
		&protocol.Close{Error: "bye"},
	} {
		last := []byte(`{"protocol":"messagepack","version":1}` + separator)
		if len(seeds) > 0 && bytes.HasPrefix(seeds[len(seeds)-1], last) {
			last = bytes.Clone(seeds[len(seeds)-1]) // each seed has one message more
		}
		last, err := mp.Append(last, m)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, last)
	}
	return append(seeds, []byte(`{"protocol":"none","version":1}`+separator), []byte("garbage"+separator), []byte(separator), nil)
}

// FuzzPosts posts bytes, cut anywhere into bodies and their reads, to a connection on long polling or server-sent events,
// through the handlers that an application has. Whatever comes, each body is answered, what the client gets is whole
// messages, and when it has gone nothing is left.
func FuzzPosts(f *testing.F) {
	for i, s := range fuzzSeeds(f) {
		f.Add(s, uint64(i)*0x9E3779B97F4A7C15, i%2 == 0)
		f.Add(s, uint64(i), i%2 != 0)
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, events bool) {
		bubble(t, func(t *testing.T) {
			srv, err := NewServer(nil)
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			srv.MapHub(mux, "/hub", fuzzHub())
			answers := postAll(t, mux, data, cuts(seed), events)
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Errorf("shutting down: %v", err)
			}
			if n := srv.Connections(); n > 0 {
				t.Errorf("%d connections are left", n)
			}
			checkAnswers(t, data, answers())
		})
	})
}

// postAll opens a connection and posts data. answers returns what the client got in all, once the connection is over.
func postAll(t *testing.T, h http.Handler, data []byte, cut cuts, events bool) (answers func() []byte) {
	do := func(method, target string, body io.Reader, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, target, body)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	_, rest, _ := strings.Cut(do(http.MethodPost, "/hub/negotiate?negotiateVersion=1", nil, "").Body.String(), `"connectionToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	target := "/hub?id=" + url.QueryEscape(token)
	var got bytes.Buffer
	var over chan struct{}
	poll := func() bool {
		w := do(http.MethodGet, target, nil, "*/*")
		got.Write(w.Body.Bytes())
		return w.Code == http.StatusOK && w.Body.Len() > 0
	}
	if events {
		over = make(chan struct{})
		go func() {
			defer close(over)
			w := do(http.MethodGet, target, nil, "text/event-stream")
			got.Write(eventData(t, w.Body.String()))
		}()
		synctest.Wait()
	} else if w := do(http.MethodGet, target, nil, "*/*"); w.Code != http.StatusOK || w.Body.Len() > 0 {
		t.Fatalf("the first poll was answered %d %q", w.Code, w.Body)
	}
	for len(data) > 0 {
		n := min(len(data), cut.next(len(data))*cut.next(len(data)))
		body := &choppedBody{rest: data[:n], cut: &cut, fail: cut.next(50) == 50}
		data = data[n:]
		switch w := do(http.MethodPost, target, body, "*/*"); {
		case w.Code == http.StatusOK, w.Code == http.StatusNotFound, w.Code == http.StatusBadRequest && body.fail:
		default:
			t.Errorf("%d bytes were answered %d %q", n, w.Code, w.Body)
		}
	}
	if events {
		synctest.Wait()
		return func() []byte {
			<-over
			return got.Bytes()
		}
	}
	for poll() {
	}
	return got.Bytes
}

// eventData returns the data of the events of a stream (F-045).
func eventData(t *testing.T, stream string) (data []byte) {
	stream = strings.TrimPrefix(stream, ":\r\n")
	for event := range strings.SplitAfterSeq(stream, "\r\n\r\n") {
		event, whole := strings.CutSuffix(event, "\r\n")
		for line := range strings.SplitAfterSeq(event, "\r\n") {
			text, ok := strings.CutPrefix(line, "data: ")
			if line != "" && (!ok || !whole) {
				t.Errorf("%q is in the event stream", line)
			}
			data = append(data, strings.TrimSuffix(text, "\r\n")...)
		}
	}
	return data
}

// checkAnswers checks that a client could read what it got: the answer to its handshake, and messages.
func checkAnswers(t *testing.T, data, got []byte) {
	if len(got) == 0 {
		return
	}
	first, rest, whole := bytes.Cut(got, []byte(separator))
	if !whole || string(first) != `{}` && !bytes.HasPrefix(first, []byte(`{"error":"`)) {
		t.Fatalf("the handshake was answered %q", got)
	}
	if string(first) != `{}` {
		if len(rest) > 0 {
			t.Errorf("behind a refused handshake comes %q", rest)
		}
		return
	}
	req, _, err := protocol.ParseHandshakeRequest(data)
	if err != nil {
		t.Fatalf("a bad handshake was taken: %v", err)
	}
	var p protocol.HubProtocol = jsonprotocol.New(nil)
	if strings.EqualFold(req.Protocol, "messagepack") {
		p = msgpackprotocol.New(nil)
	}
	for len(rest) > 0 {
		m, n, err := p.Parse(rest)
		if err != nil || n == 0 || m == nil {
			t.Fatalf("the client cannot read %q: %v", rest, err)
		}
		rest = rest[n:]
		if _, last := m.(*protocol.Close); last && len(rest) > 0 {
			t.Errorf("behind the Close message comes %q", rest)
		}
	}
}

// FuzzOrigin checks that a page of another host never opens a WebSocket, however its origin is written.
func FuzzOrigin(f *testing.F) {
	for _, origin := range []string{
		"", "null", "https://shop.example", "http://SHOP.example", "https://shop.example:443", "https://shop.example.evil.example", "https://evil.example",
		"https://evil.example/shop.example", "https://shop.example@evil.example", "//shop.example", "shop.example", "https://shop.example/", "*",
		"https://trusted.example", "https://[::1]", "\x00", "https://shop.example#evil", "file://",
	} {
		f.Add(origin)
	}
	o := ConnectionOptions{Origins: []string{"https://trusted.example"}}
	f.Fuzz(func(t *testing.T, origin string) {
		r := httptest.NewRequest(http.MethodGet, "https://shop.example/hub", nil)
		r.Header.Set("Origin", origin)
		if !o.allowsOrigin(r) || origin == "" || strings.EqualFold(origin, o.Origins[0]) {
			return
		}
		// What a browser sends is scheme://host[:port] and nothing else.
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, "shop.example") {
			t.Errorf("%q is allowed", origin)
		}
	})
}
