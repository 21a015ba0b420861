package websocket

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"

	"signalbox/signalr/internal/hijack"
)

// IsUpgrade says whether r is a proper opening handshake (RFC 6455, section 4.2.1). A request that only looks like
// one is an ordinary GET (F-003), and so is one with a body.
func IsUpgrade(r *http.Request) bool {
	if r.Method != http.MethodGet || r.ContentLength != 0 || r.ProtoMajor != 1 || r.ProtoMinor < 1 ||
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

// Upgrade takes the connection over from the HTTP server and answers 101 with the headers that are already set on w, as
// [hijack.Answer] does.
func Upgrade(w http.ResponseWriter, r *http.Request, subprotocol string) (conn net.Conn, early []byte, err error) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + acceptGUID))
	head := http.Header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])},
	}
	if subprotocol != "" {
		head.Set("Sec-WebSocket-Protocol", subprotocol)
	}
	if conn, early, err = hijack.Answer(w, "101 Switching Protocols", head, ""); err != nil {
		return nil, nil, fmt.Errorf("upgrading to a WebSocket: %w", err)
	}
	return conn, early, nil
}
