package differential_test

import (
	"strings"

	"signalbox/e2e/wire"
)

// negotiateScript negotiates in odd ways (F-015 to F-021).
func negotiateScript(s *script) {
	for range 1 + s.IntN(4) {
		var query []string
		if !s.chance(5) {
			query = append(query, pick(s, "negotiateVersion", "negotiateVersion", "NegotiateVersion", "NEGOTIATEVERSION")+"="+
				pick(s, "1", "1", "0", "2", "-1", "99", "abc", "", "+1", "%201%20", "01", "1.0", "2147483648", "-2147483648", "0x1", "1e0", "%31", "%D9%A1"))
		}
		if s.chance(6) {
			query = append(query, "negotiateVersion=1")
		}
		if s.chance(3) {
			query = append(query, pick(s, "useStatefulReconnect", "USESTATEFULRECONNECT")+"="+pick(s, "true", "True", "false", "1", "", "yes"))
		}
		if s.chance(4) {
			query = append(query, pick(s, "id=abc", "x=%zz", "=", "a&&b", "access_token=user:anna", "hello=1"))
		}
		path := pick(s, "/hub/negotiate", "/hub/negotiate", "/HUB/Negotiate", "/hub/negotiate/", "/authhub/negotiate", "/echo/negotiate", "/hub/negotiate/x")
		method := pick(s, "POST", "POST", "POST", "POST", "GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH")
		target := path
		if len(query) > 0 {
			target += "?" + strings.Join(query, "&")
		}
		var headers []wire.Header
		var body *string
		if s.chance(3) {
			text := pick(s, "", "{}", "garbage", `{"negotiateVersion":0}`)
			body = &text
		}
		if s.chance(4) {
			headers = append(headers, pick(s, wire.Header{Name: "Content-Type", Value: "application/json"},
				wire.Header{Name: "Authorization", Value: "Bearer user:anna"}, wire.Header{Name: "Authorization", Value: "Bearer nobody"},
				wire.Header{Name: "X-Requested-With", Value: "XMLHttpRequest"}, wire.Header{Name: "Accept", Value: "text/event-stream"}))
		}
		s.request("n", method, target, body, headers...)
	}
}

// handshakeScript shakes hands in odd ways (F-054 to F-059), then makes a call.
func handshakeScript(s *script) {
	s.open(pick(s, transports...), "a")
	const greeting = `{"protocol":"json","version":1}`
	var first string
	switch s.IntN(12) {
	case 0:
		first = "{" + s.join([]string{s.member("protocol", pick(s, `"json"`, `"JSON"`, `"Json"`, `"messagepack"`, `"nope"`, `""`, "null", "1", `"js\u006fn"`)),
			s.member("version", pick(s, "1", "0", "2", "3", "-1", "1.0", `"1"`, "null", "99999999999", "1e0"))}, "") + "}␞"
	case 1:
		first = s.object(s.member("version", pick(s, "1", "2")), s.member("protocol", `"json"`), s.member("extra", s.value(2))) + "␞"
	case 2:
		first = pick(s, `{"protocol":"json"}␞`, `{"version":1}␞`, `{}␞`, `[]␞`, `␞`, ` ␞`, `null␞`, `1␞`, `"json"␞`, `{"Protocol":"json","Version":1}␞`,
			`{"protocol":"json","version":1,}␞`, `{"protocol":"json" "version":1}␞`, `{"protocol":"json","version":1␞`, `garbage␞`,
			`{"protocol":"json","version":1}}␞`, `{"protocol":"json","version":1} trailing␞`, `/*c*/{"protocol":"json","version":1}␞`)
	case 3:
		first = `{"protocol":"json","protocol":"nope","version":1}␞`
	case 4:
		first = `{"protocol":"json","version":1,"pad":"{rep x ` + pick(s, "100", "32000", "32768", "40000", "70000") + `}"}␞`
	case 5:
		s.sendInParts("a", greeting+"␞")
	case 6:
		first = greeting + "␞" + s.envelope(1, s.id(), s.soundCall())
	case 7:
		first = greeting + "␞" + greeting + "␞"
	case 8:
		first = "\ufeff" + greeting + "␞"
	default:
		first = strings.ReplaceAll(greeting, ",", s.space()+","+s.space()) + s.space() + "␞"
	}
	if first != "" {
		s.send("a", first)
	}
	s.fence("a")
	s.end("a")
}

// authScript connects to the endpoint that wants a user, with tokens of all kinds, on every transport (F-011, F-012).
func authScript(s *script) {
	s.kinds["a"] = pick(s, transports...)
	user := s.mark
	token := pick(s, "user:"+user, "user:"+user, "nobody", "")
	path := pick(s, "/authhub", "/authhub", "/hub")
	var headers []wire.Header
	query := ""
	if s.chance(2) {
		headers = append(headers, wire.Header{Name: "Authorization", Value: pick(s, "Bearer ", "bearer ", "Basic ") + token})
	} else {
		query = "&access_token=" + token
	}
	s.do("http", "a.neg", "POST "+path+"/negotiate?negotiateVersion=1"+query, headers...)
	if s.chance(6) {
		headers, query = nil, "" // the later requests have no token
	}
	s.do(s.kinds["a"]+".open", "a", path+"?id={a.token}"+query, headers...)
	for _, payload := range []string{`{"protocol":"json","version":1}␞`, s.envelope(1, s.id(), call{"User", nil}), s.envelope(1, s.id(), s.soundCall())} {
		if s.kinds["a"] == "ws" {
			s.do("text", "a", payload)
		} else {
			s.request("a", "POST", path+"?id={a.token}"+query, &payload, headers...)
		}
	}
}

// echoScript uses a connection without a hub (F-002).
func echoScript(s *script) {
	s.kinds["a"] = pick(s, transports...)
	s.negotiate("a", "/echo", "")
	s.attach("a", "/echo?id={a.token}")
	for range 1 + s.IntN(5) {
		payload := pick(s, "hello", "a␊b␍␊c", "␊", "{rep x 5000}", "☃", "␞", "␀␉", "data: x␍␊␍␊", "{rep yz 40000}")
		if s.kinds["a"] == "ws" {
			s.do(pick(s, "text", "bin"), "a", payload)
		} else {
			s.request("a", "POST", "/echo?id={a.token}", &payload)
		}
	}
	switch s.kinds["a"] {
	case "ws":
		s.do("close", "a", pick(s, "-", "1000", "1001 x"))
	case "lp":
		s.request("a", "DELETE", "/echo?id={a.token}", nil)
	}
}
