// Package hijack takes connections over from an HTTP server, for answers that last: nothing of the server is in use for
// them any more, not its buffers nor the goroutine that serves requests.
package hijack

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// ErrRefused is the error of a connection that cannot be taken over: middleware, or HTTP/2, keeps it from us.
var ErrRefused = errors.New("the connection cannot be taken over")

// answerTimeout bounds the writing of the head: it is small, and the server's own time-outs do not hold any more.
const answerTimeout = 10 * time.Second

// Answer takes over the HTTP/1.1 connection of w. status is what its answer begins with, like "200 OK", head the
// headers besides those that are already set on w, and body what comes right behind. early holds what the client has sent behind its request. The handler
// should return soon, so that what it holds can be freed; w is of no use any more. After [ErrRefused] nothing has happened,
// and w can be used as before; after any other error the connection is closed.
func Answer(w http.ResponseWriter, status string, head http.Header, body string) (conn net.Conn, early []byte, err error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Reader.Peek(n) // cannot fail: it is buffered
		early = append([]byte(nil), peeked...)
	}
	all := w.Header().Clone()
	for name, values := range head {
		all[name] = values
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + status + "\r\n")
	_ = all.Write(&b) // a Builder does not fail
	b.WriteString("\r\n" + body)
	err = conn.SetDeadline(time.Now().Add(answerTimeout))
	if err == nil {
		_, err = conn.Write([]byte(b.String()))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("answering on a connection that was taken over: %w", err)
	}
	return conn, early, nil
}
