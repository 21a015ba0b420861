package differential_test

import (
	"fmt"
	"strconv"
	"strings"

	"signalbox/e2e/wire"
)

// requestScript sends requests that fit no connection, or not the one they name (F-001, F-025 to F-032).
func requestScript(s *script) {
	transport := pick(s, "", "ws", "sse", "lp")
	if transport != "" {
		s.connect(transport, "a")
	}
	for range 1 + s.IntN(4) {
		id := pick(s, "", "?id=", "?id=unknown", "?id=%20", "?ID=unknown", "?id=%00", "?x=y", "?id=a&id=b")
		if transport != "" && s.chance(2) {
			id = pick(s, "?id={a.token}", "?id={a.token}", "?ID={a.token}", "?id={a.id}", "?id={a.token}x", "?id={a.token}&id={a.token}")
		}
		path := pick(s, "/hub", "/hub", "/hub", "/Hub", "/hub/", "/echo", "/authhub", "/nothing", "/hub/x")
		switch s.IntN(5) {
		case 0:
			body := pick(s, "", "{\"type\":6}␞", "garbage␞", "half of a mess")
			s.request("r", "POST", path+id, &body, s.postHeader()...)
		case 1:
			s.request("r", "DELETE", path+id, nil)
		case 2:
			if strings.Contains(id, "{a.token}") { // it would wait, or take the connection over
				continue
			}
			s.request("r", "GET", path+id, nil, s.getHeader()...)
		case 3:
			if strings.Contains(id, "{a.token}") {
				continue
			}
			s.counts["w"]++
			label := "w." + string(rune('a'+s.counts["w"]))
			s.do(pick(s, "ws.open", "sse.open"), label, path+id)
		default:
			s.request("r", pick(s, "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "post"), path+id, nil)
		}
	}
	if transport != "" {
		s.fence("a")
	}
}

// postHeader returns headers for a POST, mostly none.
func (s *script) postHeader() []wire.Header {
	if !s.chance(2) {
		return nil
	}
	return []wire.Header{{Name: "Content-Type", Value: pick(s, "application/octet-stream", "application/json", "text/plain", "multipart/form-data", "x", "")}}
}

// getHeader returns an Accept header, mostly none.
func (s *script) getHeader() []wire.Header {
	if s.chance(2) {
		return nil
	}
	return []wire.Header{{Name: "Accept", Value: pick(s, "text/event-stream", "TEXT/event-stream", "text/event-stream;q=1", "*/*", "text/html, text/event-stream",
		"text/*", "")}}
}

// pollScript is long polling by hand: polls one by one, overlapping ones, messages in pieces, DELETE (F-033 to F-043).
func pollScript(s *script) {
	s.negotiate("a", "/hub", "")
	greeting := `{"protocol":"json","version":1}␞`
	if s.chance(4) { // a POST before the first GET is kept (F-031)
		s.request("a", "POST", target("a"), &greeting)
		s.request("a", "GET", target("a"), nil)
	} else {
		s.request("a", "GET", target("a"), nil)
		s.request("a", "POST", target("a"), &greeting)
	}
	s.request("a", "GET", target("a")+pick(s, "", "&_=1234"), nil)
	for range 1 + s.IntN(5) {
		switch s.IntN(7) {
		case 0:
			s.request("a", "GET", target("a"), nil)
		case 1:
			empty := ""
			s.request("a", "POST", target("a"), &empty)
		case 2:
			s.request("a", pick(s, "DELETE", "DELETE", "GET"), target("a"), nil, s.getHeader()...)
		case 3:
			s.do("ws.open", "w", target("a"))
		default:
			text := s.envelope(1, s.callID(), s.soundCall())
			s.request("a", "POST", target("a"), &text, s.postHeader()...)
		}
	}
	if s.chance(2) {
		s.request("a", "GET", target("a"), nil)
	}
	if s.chance(2) {
		closing := `{"type":7}␞`
		s.request("a", "POST", target("a"), &closing)
		s.request("a", "GET", target("a"), nil)
	}
}

// chunkedScript posts bodies in chunks, and whose length is not what the head says.
func chunkedScript(s *script) {
	s.connect(pick(s, "sse", "lp"), "a")
	call := `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}␞`
	chunked := wire.Header{Name: "Transfer-Encoding", Value: "chunked"}
	length := len(call) - len("␞") + 1
	whole := fmt.Sprintf("%x␍␊%s␍␊0␍␊␍␊", length, call)
	switch s.IntN(4) {
	case 0:
		s.request("a", "POST", target("a"), &whole, chunked)
	case 1:
		short := fmt.Sprintf("5␍␊%s␍␊%x␍␊%s␍␊0␍␊␍␊", call[:5], length-5, call[5:])
		s.request("a", "POST", target("a"), &short, chunked)
	case 2:
		bad := pick(s, "zz␍␊", fmt.Sprintf("%x␍␊%s!!", length, call), "-1␍␊")
		s.request("a", "POST", target("a"), &bad, chunked)
	default:
		s.request("a", "POST", target("a"), &call, wire.Header{Name: "Content-Length", Value: pick(s, strconv.Itoa(length), "x", "-1", "1 2")})
	}
	s.fence("a")
}

// upgradeScript asks for WebSockets in odd ways (F-003, F-048).
func upgradeScript(s *script) {
	s.kinds["a"] = "ws"
	at := "/hub"
	if s.chance(2) {
		s.negotiate("a", "/hub", "")
		at = target("a")
	}
	var headers []wire.Header
	switch s.IntN(6) {
	case 0:
		headers = append(headers, wire.Header{Name: "Sec-WebSocket-Version", Value: pick(s, "13", "8", "12", "14", "x", "13, 8")})
	case 1:
		headers = append(headers, wire.Header{Name: "Sec-WebSocket-Key", Value: pick(s, "short", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", "!!!!")})
	case 2:
		headers = append(headers, wire.Header{Name: "Connection", Value: pick(s, "keep-alive, Upgrade", "upgrade", "close", "Upgrade, close")})
	case 3:
		headers = append(headers, wire.Header{Name: "Upgrade", Value: pick(s, "WebSocket", "WEBSOCKET", "h2c", "websocket, x")})
	case 4:
		headers = append(headers, wire.Header{Name: "Sec-WebSocket-Protocol", Value: pick(s, "json", "a, b", "")})
	case 5:
		headers = append(headers, wire.Header{Name: "Sec-WebSocket-Extensions", Value: pick(s, "permessage-deflate", "permessage-deflate; client_max_window_bits, x")})
	}
	s.do("ws.open", "a", at, headers...)
	s.do("text", "a", `{"protocol":"json","version":1}␞`)
	s.fence("a")
}
