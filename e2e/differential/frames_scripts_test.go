package differential_test

import (
	"fmt"
	"strings"
)

// malformedScript sends one message that is not what the protocol asks for (F-062 to F-071), and a call after it.
func malformedScript(s *script) {
	s.connectAny("a")
	for range s.IntN(3) {
		s.send("a", s.envelope(1, s.callID(), s.soundCall()))
	}
	s.send("a", s.malformed())
	s.fence("a")
}

// malformed returns a message that is wrong somewhere, or only looks so.
func (s *script) malformed() string {
	odd := func() string { return pick(s, "null", "1", `"x"`, `""`, "[]", "{}", "true", "1.5", "-1", `"1"`) }
	kind := pick(s, "1", "2", "3", "4", "5", "6", "7", "8", "9")
	switch s.IntN(8) {
	case 0:
		return pick(s, "␞", " ␞", "null␞", "[]␞", "1␞", `"x"␞`, "{}␞", "{␞", "}␞", "{]␞", "garbage␞", `{"type":1␞`, `{"type"}␞`, `{"type":}␞`, `{type:1}␞`,
			`{"type":6}}␞`, `{"type":6} x␞`, `{"type":6}{"type":6}␞`, `{'type':6}␞`, `{"type":6,}␞`, `{/**/"type":6}␞`, "\ufeff"+`{"type":6}␞`, `{"type":6}// x␞`)
	case 1:
		return s.object(s.member("type", pick(s, odd(), "1.0", "6.0", "6e0", "06", `"6"`, "2147483648", "-6", "0")), s.member("x", odd())) + "␞"
	case 2:
		return s.object(s.member("type", pick(s, "1", "4")), s.member("target", odd()), s.member("arguments", odd()), s.member("invocationId", odd())) + "␞"
	case 3:
		return s.object(s.member("type", kind), s.member(pick(s, "invocationId", "target", "error", "item", "result", "streamIds", "headers", "sequenceId", "allowReconnect"), odd())) + "␞"
	case 4:
		return s.object(s.member("type", "1"), s.member("target", `"Echo"`), s.member("arguments", `["a"]`), s.member("invocationId", `"`+s.id()+`"`),
			s.member(pick(s, "streamIds", "headers", "invocationId", "target", "error", "type"), pick(s, odd(), `["a"]`, `[1]`, `{"a":1}`, `{"a":null}`, `{"a":"b"}`, `[null]`))) + "␞"
	case 5:
		key := pick(s, "TYPE", "Type", "INVOCATIONID", "Target", "ARGUMENTS")
		return s.object(s.member("type", "1"), s.member("target", `"Echo"`), s.member("arguments", `["a"]`), s.member("invocationId", `"`+s.id()+`"`), s.member(key, odd())) + "␞"
	case 6: // depth, in arguments and in what is skipped
		depth := pick(s, 10, 61, 62, 63, 64, 65, 100)
		return fmt.Sprintf(`{"type":1,"invocationId":"%s","target":"EchoAny","arguments":[%s],"x":%s}␞`, s.id(), nested(depth), pick(s, "1", nested(62), nested(63), nested(64)))
	default:
		broken := pick(s, brokenTexts()...)
		if s.chance(2) {
			broken = pick(s, brokenNumbers()...)
		}
		return s.object(s.member("type", "1"), s.member("target", pick(s, `"Echo"`, broken)), s.member("invocationId", `"`+s.id()+`"`), s.member("arguments", `["a"]`), s.member("x", broken)) + "␞"
	}
}

// brokenArgumentScript has malformed JSON inside the arguments (F-070).
func brokenArgumentScript(s *script) {
	s.connectAny("a")
	broken := pick(s, append(brokenTexts(), brokenNumbers()...)...)
	if s.chance(2) {
		broken = pick(s, "1,", ",1", "1,,2", "1 2", "nul", "tru", `{"a"}`, `{"a":}`, `{a:1}`, "[1}", "{", "}", `{"a":1,}`, "[1,]", "/**/1", `"a`+"␊"+`b"`, `"a␉b"`)
	}
	method := pick(s, "Echo", "EchoAny", "Add", "Nope")
	if s.chance(2) {
		s.send("a", fmt.Sprintf(`{"type":1,"invocationId":"1","target":"%s","arguments":[%s]}␞`, method, broken))
	} else {
		s.send("a", fmt.Sprintf(`{"type":1,"arguments":[%s],"invocationId":"1","target":"%s"}␞`, broken, method))
	}
	s.fence("a")
}

// sizeScript sends messages around the limit (F-063).
func sizeScript(s *script) {
	s.connectAny("a")
	const around = len(`{"type":1,"invocationId":"1","target":"Echo","arguments":[""]}`) + 1
	for range 1 + s.IntN(3) {
		n := pick(s, 10, 1000, 32768-around-1, 32768-around, 32768-around+1, 33000, 70000, 200000)
		message := fmt.Sprintf(`{"type":1,"invocationId":"1","target":"Echo","arguments":["{rep x %d}"]}␞`, n)
		if s.chance(3) {
			message = s.envelope(1, s.id(), s.soundCall()) + message
		}
		s.send("a", message)
	}
	s.fence("a")
}

// garbageScript sends bytes that are no messages.
func garbageScript(s *script) {
	s.kinds["a"] = pick(s, transports...)
	s.open(s.kinds["a"], "a")
	if !s.chance(3) {
		s.send("a", `{"protocol":"json","version":1}␞`)
	}
	var b strings.Builder
	b.WriteString("hex:")
	for range 1 + s.IntN(40) {
		fmt.Fprintf(&b, " %02x", pick(s, s.IntN(256), s.IntN(128), 0x1e, '{', '}', '"'))
	}
	if s.kinds["a"] == "ws" {
		s.do("bin", "a", b.String())
	} else {
		body := b.String()
		s.request("a", "POST", target("a"), &body)
	}
	s.fence("a")
}

// frameScript sends WebSocket frames of all kinds, also forbidden ones (RFC 6455, F-049, F-050).
func frameScript(s *script) {
	s.connect("ws", "a")
	for range 1 + s.IntN(5) {
		message := s.envelope(1, s.callID(), s.soundCall())
		switch s.IntN(9) {
		case 0, 1: // in fragments, with control frames between
			rest := []rune(message)
			opcode := pick(s, "text", "bin")
			for s.chance(2) && len(rest) > 1 {
				n := s.IntN(len(rest))
				s.do("frame", "a", "more "+opcode+" "+string(rest[:n])).rush = true
				rest, opcode = rest[n:], "cont"
				if s.chance(2) {
					s.do("frame", "a", "fin ping "+pick(s, "", "x", "{rep p 125}")) // of several pings only the last needs an answer (RFC 6455 section 5.5.3)
				}
			}
			s.do("frame", "a", "fin "+opcode+" "+string(rest))
		case 2:
			s.do("frame", "a", pick(s, "fin ping ", "fin ping hello", "fin pong ", "fin pong x", "fin ping {rep x 125}"))
		case 3:
			s.do(pick(s, "text", "bin"), "a", "")
		case 4:
			if s.chance(2) {
				s.do("frame", "a", pick(s, "fin cont x", "more ping x", "fin ping {rep x 126}", "fin 3 x", "fin 11 x", "fin text+rsv4 x", "fin text+rsv1 x", "fin close hex: 03",
					"fin close hex: 03 ed", "fin close hex: 03 ee", "fin close hex: 03 e8 ff fe", "fin text hex: ff fe", "fin text hex: ed a0 80", "fin close hex: 00 00",
					"fin close hex: 13 88", "fin close hex: 0b b8"))
			}
		default:
			s.send("a", message)
		}
	}
	s.fence("a")
	s.end("a")
}
