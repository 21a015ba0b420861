package differential_test

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// A call is a hub method with arguments.
type call struct {
	method string
	args   []string
}

// soundCall returns a call that succeeds, with values of every kind. The answer of no call depends on another's.
func (s *script) soundCall() call {
	n := strconv.Itoa(s.IntN(1000) - 500)
	switch s.IntN(13) {
	case 0:
		return call{"Add", []string{n, strconv.Itoa(s.IntN(1 << 20))}}
	case 1:
		return call{"Void", nil}
	case 2:
		return call{"EchoPerson", []string{s.person()}}
	case 3:
		return call{pick(s, "Fail", "Panic"), nil}
	case 4:
		return call{"User", nil}
	case 5, 6:
		return call{"EchoAny", []string{s.value(4)}}
	case 7:
		return call{"EchoMap", []string{s.mapValue()}}
	case 8:
		bytes := make([]byte, s.IntN(12))
		for i := range bytes {
			bytes[i] = byte(s.Uint32())
		}
		return call{"EchoBytes", []string{`"` + base64.StdEncoding.EncodeToString(bytes) + `"`}}
	case 9:
		return call{"EchoTime", []string{s.time()}}
	case 10:
		return call{"EchoComplex", []string{s.complexValue()}}
	case 11:
		return call{"SendCaller", []string{s.text()}}
	default:
		return call{"Echo", []string{s.text()}}
	}
}

// time returns a point of time, with and without a zone and decimals, also some that are none.
func (s *script) time() string {
	day := pick(s, "2026-02-03", "0001-01-01", "9999-12-31", "2024-02-29", "2023-02-29", "2026-13-01", "2000-01-01")
	clock := pick(s, "", "T01:02:03", "T23:59:59", "T24:00:00", "T12:30", "t01:02:03", " 01:02:03")
	decimals := ""
	if len(clock) > 6 {
		decimals = pick(s, "", "", ".5", ".1234567", ".12345678", ".100", ".")
	}
	zone := pick(s, "", "", "Z", "Z", "z")
	if clock == "" {
		zone = ""
	}
	return `"` + day + clock + decimals + zone + `"`
}

// spoil makes the arguments of a call odd: too many, too few, of wrong types.
func (s *script) spoil(c call) call {
	switch s.IntN(4) {
	case 0:
		c.args = append(c.args, s.value(2))
	case 1:
		if len(c.args) > 0 {
			c.args = c.args[:len(c.args)-1]
		}
	case 2:
		if len(c.args) > 0 {
			c.args[s.IntN(len(c.args))] = s.value(2)
		}
	case 3:
		c = call{pick(s, "Echo", "Add", "EchoPerson", "EchoMap", "EchoBytes", "EchoTime", "EchoComplex", "Slow", "SendCaller"), nil}
		for range 1 + s.IntN(2) {
			c.args = append(c.args, s.value(2))
		}
	}
	return c
}

// respell changes the case of a method's name, or makes it one that does not exist.
func (s *script) respell(name string) string {
	switch s.IntN(6) {
	case 0:
		return strings.ToLower(name)
	case 1:
		return strings.ToUpper(name)
	case 2:
		return pick(s, "Nope", "", " "+name, "ToString", "OnConnectedAsync", "Dispose", "Grüße", "get_Context", name+"Async", "{}", `a\"b`)
	default:
		return name
	}
}

// envelope writes a call with an id, empty for none, as a hub message; its members stand in any order.
func (s *script) envelope(kind int, id string, c call, more ...string) string {
	members := append([]string{
		s.member("type", strconv.Itoa(kind)), s.member("target", `"`+c.method+`"`), s.member("arguments", "["+s.join(c.args, "")+"]"),
	}, more...)
	if id != "" {
		members = append(members, s.member("invocationId", `"`+id+`"`))
	}
	if s.chance(6) {
		members = append(members, s.member("headers", `{"x":"y"}`))
	}
	if s.chance(8) {
		members = append(members, s.member(pick(s, "extra", "Type", "TARGET", "Arguments"), s.value(2)))
	}
	if s.chance(3) {
		return s.object(members...) + "␞"
	}
	return fmt.Sprintf("{%s}␞", strings.Join(members, ","))
}

// callID returns an id for a call, or none.
func (s *script) callID() string {
	if s.chance(6) {
		return ""
	}
	return s.id()
}

// callScript calls methods one by one.
func callScript(s *script) {
	s.connectAny("a")
	for range 2 + s.IntN(5) {
		c := s.soundCall()
		if s.chance(3) {
			c = s.spoil(c)
		}
		if s.chance(4) {
			c.method = s.respell(c.method)
		}
		message := s.envelope(1, s.callID(), c)
		if s.chance(8) {
			s.sendInParts("a", message)
		} else {
			s.send("a", message)
		}
	}
	s.fence("a")
	s.end("a")
}

// batchScript sends several messages in one frame or body, calls and others.
func batchScript(s *script) {
	s.connectAny("a")
	for range 1 + s.IntN(3) {
		var b strings.Builder
		for range 2 + s.IntN(8) {
			switch s.IntN(8) {
			case 0:
				b.WriteString(`{"type":6}␞`)
			case 1:
				fmt.Fprintf(&b, `{"type":5,"invocationId":"%d"}␞`, s.IntN(9))
			case 2:
				fmt.Fprintf(&b, `{"type":3,"invocationId":"%s%d","result":1}␞`, pick(s, "", "s", "x"), s.IntN(9))
			case 3:
				b.WriteString(`{"type":2,"invocationId":"none","item":1}␞`)
			default:
				b.WriteString(s.envelope(1, s.callID(), s.soundCall()))
			}
		}
		if text := b.String(); s.chance(4) {
			s.sendInParts("a", text)
		} else {
			s.send("a", text)
		}
	}
	s.fence("a")
	s.end("a")
}

// slowScript has a call wait for another's end (F-092).
func slowScript(s *script) {
	s.connectAny("a")
	s.send("a", s.envelope(1, s.callID(), call{"Slow", []string{strconv.Itoa(20 + s.IntN(80))}})).rush = true
	for range 1 + s.IntN(4) {
		s.send("a", s.envelope(1, s.id(), s.soundCall())).rush = s.chance(2)
	}
	s.fence("a")
}
