package signalr

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"signalbox/signalr/transport"
)

// peer is a WebSocket of another implementation.
type peer interface {
	write(text bool, p []byte) error
	read() ([]byte, error)
	// bye closes in good order and says which code the server answered with.
	bye() (code int, err error)
}

type gorillaPeer struct{ *gorilla.Conn }

func (p gorillaPeer) write(text bool, b []byte) error {
	kind := gorilla.BinaryMessage
	if text {
		kind = gorilla.TextMessage
	}
	w, err := p.NextWriter(kind)
	if err != nil {
		return err
	}
	for len(b) > 0 { // in fragments, as far as they are longer than its buffer
		n := min(len(b), 1000)
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return w.Close()
}

func (p gorillaPeer) read() ([]byte, error) {
	_, b, err := p.ReadMessage()
	return b, err
}

func (p gorillaPeer) bye() (int, error) {
	if err := p.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(1001, "bye"), time.Now().Add(time.Minute)); err != nil {
		return 0, err
	}
	for {
		_, _, err := p.ReadMessage()
		if ce, ok := err.(*gorilla.CloseError); ok {
			return ce.Code, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

type coderPeer struct {
	*coder.Conn
	ctx context.Context
}

func (p coderPeer) write(text bool, b []byte) error {
	kind := coder.MessageBinary
	if text {
		kind = coder.MessageText
	}
	return p.Write(p.ctx, kind, b)
}

func (p coderPeer) read() ([]byte, error) {
	_, b, err := p.Read(p.ctx)
	return b, err
}

// bye: Close fails unless the server answers the close frame with one of its own.
func (p coderPeer) bye() (int, error) {
	if err := p.Close(1000, "bye"); err != nil {
		return 0, err
	}
	return 1000, nil
}

// TestOtherImplementations: other WebSocket implementations as clients, over a real network.
func TestOtherImplementations(t *testing.T) {
	peers := map[string]func(t *testing.T, url string) peer{
		"gorilla": func(t *testing.T, url string) peer {
			c, _, err := gorilla.DefaultDialer.Dial(url, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			return gorillaPeer{c}
		},
		"gorilla with compression offered": func(t *testing.T, url string) peer {
			c, res, err := (&gorilla.Dialer{EnableCompression: true}).Dial(url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if ext := res.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
				t.Errorf("extensions %q were accepted", ext)
			}
			t.Cleanup(func() { _ = c.Close() })
			return gorillaPeer{c}
		},
		"coder": func(t *testing.T, url string) peer {
			c, _, err := coder.Dial(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			c.SetReadLimit(-1)
			t.Cleanup(func() { _ = c.CloseNow() })
			return coderPeer{c, t.Context()}
		},
	}
	for name, dial := range peers {
		for _, tls := range []bool{false, true} {
			if tls && name != "coder" {
				continue // one is enough for the other way of reading
			}
			t.Run(fmt.Sprintf("%s tls=%t", name, tls), func(t *testing.T) {
				srv := newTestServerWithout(t)
				hub := NewHub(&HubOptions{MaximumReceiveMessageSize: -1})
				hub.Handle("Echo", Func1(func(_ context.Context, _ *Caller, s string) (string, error) { return s, nil }))
				mux := http.NewServeMux()
				srv.MapHub(mux, "/hub", hub)
				srv.MapConnectionHandler(mux, "/echo", echoBytes, nil)
				web := httptest.NewUnstartedServer(mux)
				if tls {
					web.StartTLS()
					dial = func(t *testing.T, url string) peer {
						c, _, err := coder.Dial(t.Context(), url, &coder.DialOptions{HTTPClient: web.Client()})
						if err != nil {
							t.Fatal(err)
						}
						c.SetReadLimit(-1)
						t.Cleanup(func() { _ = c.CloseNow() })
						return coderPeer{c, t.Context()}
					}
				} else {
					web.Start()
				}
				t.Cleanup(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					if err := srv.Shutdown(ctx); err != nil {
						t.Errorf("Shutdown: %v", err)
					}
					web.Close()
				})
				url := strings.Replace(web.URL, "http", "ws", 1)

				p := dial(t, url+"/echo")
				for _, n := range []int{1, 125, 126, 1000, 65535, 65536, 1_000_000} {
					want := bytes.Repeat([]byte("0123456789"), n/10+1)[:n]
					written := make(chan struct{})
					go func() {
						defer close(written)
						if err := p.write(n%2 == 0, want); err != nil {
							t.Errorf("%d bytes: %v", n, err)
						}
					}()
					var got []byte
					for len(got) < n {
						b, err := p.read()
						if err != nil {
							t.Fatalf("%d bytes: %v after %d", n, err, len(got))
						}
						got = append(got, b...)
					}
					<-written
					if !bytes.Equal(got, want) {
						t.Errorf("%d bytes came back changed", n)
					}
				}
				if code, err := p.bye(); code != 1000 {
					t.Errorf("closing: %d, %v, want 1000", code, err)
				}

				p = dial(t, url+"/hub")
				text := strings.Repeat("ä€😀", 20_000)
				for _, m := range []string{jsonHandshake, invocation("1", "Echo", text)} {
					if err := p.write(true, []byte(m+"\x1e")); err != nil {
						t.Fatal(err)
					}
				}
				b, err := p.read()
				if string(b) != "{}\x1e" {
					t.Errorf("handshake: %q, %v", b, err)
				}
				b, err = p.read()
				if len(b) < len(text) || b[len(b)-1] != 0x1E {
					t.Errorf("echo: %d bytes, %v", len(b), err)
				}
				if code, err := p.bye(); code != 1000 {
					t.Errorf("closing: %d, %v, want 1000", code, err)
				}
			})
		}
	}
}

// echoBytes sends back what it reads.
func echoBytes(ctx context.Context, conn transport.Conn, _ *Request) error {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := conn.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
