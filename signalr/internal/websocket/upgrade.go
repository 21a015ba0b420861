package websocket

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// IsUpgrade says whether r is a proper opening handshake (RFC 6455, section 4.2.1). A request that only looks like
// one is an ordinary GET (F-003).
func IsUpgrade(r *http.Request) bool {
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor < 1 ||
		!hasToken(r.Header["Connection"], "upgrade") || !hasToken(r.Header["Upgrade"], "websocket") ||
		r.Header.Get("Sec-WebSocket-Version") != "13" {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	return err == nil && len(key) == 16
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Subprotocols returns the sub-protocols that the client offers, in its order.
func Subprotocols(r *http.Request) []string {
	var list []string
	for _, v := range r.Header.Values("Sec-WebSocket-Protocol") {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
	}
	return list
}

// acceptGUID is the constant of RFC 6455, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Upgrade takes the connection over from the HTTP server and answers 101 with the headers that are already set on w.
// early holds what the client has sent behind its request. From then on nothing of the HTTP server is in use: the
// handler should return, so that its buffers can be freed.
func Upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (conn net.Conn, early []byte, err error) {
	var rw *bufio.ReadWriter
	conn, rw, err = http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("taking over the connection for a WebSocket: %w", err)
	}
	if n := rw.Reader.Buffered(); n > 0 {
		peeked, _ := rw.Reader.Peek(n) // cannot fail: it is buffered
		early = append([]byte(nil), peeked...)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + acceptGUID))
	head := w.Header().Clone()
	head.Set("Upgrade", "websocket")
	head.Set("Connection", "Upgrade")
	head.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	if subprotocol != "" {
		head.Set("Sec-WebSocket-Protocol", subprotocol)
	}
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	if err := head.Write(&b); err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("writing the answer to a WebSocket upgrade: %w", err)
	}
	b.WriteString("\r\n")
	// The server's own time-outs do not hold any more; the answer is small and must not hang.
	err = conn.SetDeadline(time.Now().Add(upgradeTimeout))
	if err == nil {
		_, err = conn.Write([]byte(b.String()))
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("answering a WebSocket upgrade: %w", err)
	}
	return conn, early, nil
}

const upgradeTimeout = 10 * time.Second
