package main

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/signalr"
)

// newTestHub returns the hub that the TypeScript client's tests call.
func newTestHub(o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.Handle("Echo", signalr.Func1(echoText))
	h.Handle("ThrowException", signalr.Action1(func(_ context.Context, _ *signalr.Caller, text string) error {
		return invalidOperation(text)
	}))
	h.Handle("InvokeWithString", signalr.Action1(func(ctx context.Context, c *signalr.Caller, text *string) error {
		return c.Clients().Client(c.ConnectionID()).Send(ctx, "Message", text)
	}))
	h.Handle("SendCustomObject", signalr.Action1(func(ctx context.Context, c *signalr.Caller, o *customObject) error {
		return c.Clients().Client(c.ConnectionID()).Send(ctx, "CustomObject", o)
	}))
	h.Handle("EchoComplexObject", signalr.Func1(func(_ context.Context, _ *signalr.Caller, o *complexObject) (*complexObject, error) {
		return o, nil
	}))
	h.Handle("SendComplexObject", signalr.Func0(func(context.Context, *signalr.Caller) (complexObject, error) {
		return complexObject{
			String:    new("hello world"),
			IntArray:  []int32{1, 2, 3},
			ByteArray: []byte{1, 2, 3},
			Guid:      uuid.MustParse("00010203-0405-0607-0706-050403020100"),
			DateTime:  time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		}, nil
	}))
	registerConnection(h)
	registerStreams(h)
	return h
}

func echoText(_ context.Context, _ *signalr.Caller, text *string) (*string, error) { return text, nil }

// registerConnection registers what tells of the connection and of the request that opened it.
func registerConnection(h *signalr.Hub) {
	h.Handle("GetCallerConnectionId", signalr.Func0(func(_ context.Context, c *signalr.Caller) (string, error) {
		return c.ConnectionID(), nil
	}))
	h.Handle("GetActiveTransportName", signalr.Func0(func(_ context.Context, c *signalr.Caller) (string, error) {
		return c.Transport().String(), nil
	}))
	h.Handle("GetNumRedirects", signalr.Func0(func(_ context.Context, c *signalr.Caller) (int, error) {
		n, err := strconv.Atoi(c.Request().Query().Get("numRedirects"))
		if err != nil {
			return 0, fmt.Errorf("numRedirects: %w", err)
		}
		return n, nil
	}))
	h.Handle("GetContentTypeHeader", signalr.Func0(func(_ context.Context, c *signalr.Caller) (*string, error) {
		return nullable(c.Request().Header("Content-Type"))
	}))
	h.Handle("GetHeader", signalr.Func1(func(_ context.Context, c *signalr.Caller, name string) (*string, error) {
		return nullable(c.Request().Header(name))
	}))
	h.Handle("GetCookie", signalr.Func1(func(_ context.Context, c *signalr.Caller, name string) (*string, error) {
		return nullable(cookie(c.Request(), name))
	}))
}

// cookie returns the value of a cookie. The client writes attributes of its cookies, such as Secure, between them, which
// [signalr.Request.Cookie] takes for a broken header.
func cookie(r *signalr.Request, name string) (value string, ok bool) {
	header, _ := r.Header("Cookie")
	c, err := (&http.Request{Header: http.Header{"Cookie": {header}}}).Cookie(name)
	if err != nil {
		return "", false
	}
	return c.Value, true
}

// nullable is a result that is null when there is no value.
func nullable(value string, ok bool) (*string, error) {
	if !ok {
		return nil, nil
	}
	return &value, nil
}

func registerStreams(h *signalr.Hub) {
	h.HandleStream("Stream", signalr.Stream0(streamABC))
	h.HandleStream("EmptyStream", signalr.Stream0(func(context.Context, *signalr.Caller) iter.Seq2[int, error] {
		return func(func(int, error) bool) {}
	}))
	h.HandleStream("InfiniteStream", signalr.Stream0(func(ctx context.Context, c *signalr.Caller) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			<-ctx.Done()
			if err := c.Clients().Client(c.ConnectionID()).Send(context.WithoutCancel(ctx), "StreamCanceled"); err != nil {
				yield("", err)
			}
		}
	}))
	h.HandleStream("StreamThrowException", func(_ context.Context, inv *signalr.Invocation) (iter.Seq2[any, error], error) {
		var text string
		if err := inv.Decode(&text); err != nil {
			return nil, err
		}
		return nil, invalidOperation(text)
	})
	h.Register(signalr.Method{Name: "StreamingConcat", StreamArgs: 1, Invoke: func(_ context.Context, inv *signalr.Invocation) (any, error) {
		if err := inv.Decode(); err != nil {
			return nil, err
		}
		var all strings.Builder
		for text, err := range signalr.StreamArg[string](inv, 0) {
			if err != nil {
				return nil, err // the client's own text, as a HubError
			}
			all.WriteString(text)
		}
		return all.String(), nil
	}})
}

func streamABC(context.Context, *signalr.Caller) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_ = yield("a", nil) && yield("b", nil) && yield("c", nil)
	}
}

// newAuthorizedHub returns the hub for clients with a token.
func newAuthorizedHub(o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.Handle("Echo", signalr.Func1(echoText))
	return h
}

// newUncreatableHub returns a hub that fails before its first invocation.
func newUncreatableHub(o *signalr.HubOptions) *signalr.Hub {
	h := signalr.NewHub(o)
	h.OnConnected(func(context.Context, *signalr.Caller) error {
		return invalidOperation("The hub cannot be created.")
	})
	return h
}
