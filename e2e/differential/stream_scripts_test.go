package differential_test

import (
	"fmt"
	"strconv"
	"strings"
)

// streamScript starts streams, some at the same time, and cancels some (F-096 to F-098).
func streamScript(s *script) {
	s.mixed = true
	s.connectAny("a")
	for range 1 + s.IntN(4) {
		c := call{pick(s, "Counter", "CounterChannel"), []string{strconv.Itoa(s.IntN(8)), strconv.Itoa(s.IntN(3))}}
		switch s.IntN(6) {
		case 0:
			c = call{"CounterFail", []string{strconv.Itoa(s.IntN(4))}}
		case 1:
			c.args[0], c.args[1] = pick(s, "-1", "0", "3"), pick(s, "0", "-5")
		case 2:
			c.args[s.IntN(2)] = pick(s, "null", `"1"`, "1.5", "[]", "2147483648")
		case 3:
			c = pick(s, call{"Echo", []string{`"x"`}}, call{"Nope", nil}, call{"Void", nil}, call{"Counter", nil}, call{"Add", []string{"1", "2"}})
		}
		if s.chance(5) {
			c.method = s.respell(c.method)
		}
		kind := 4
		if s.chance(8) {
			kind = 1
		}
		s.send("a", s.envelope(kind, s.id(), c)).rush = s.chance(2)
	}
	if s.chance(3) {
		s.send("a", fmt.Sprintf(`{"type":5,"invocationId":"%s"}␞`, pick(s, "nope", "99", "x")))
	}
	s.fence("a")
	s.end("a")
}

// cancelScript cancels a stream that would last for long; how many items came until then is left open.
func cancelScript(s *script) {
	s.mixed = true
	s.connectAny("a")
	// The items of a stream with a long pause are countable.
	s.send("a", s.envelope(4, "s", call{pick(s, "Counter", "CounterChannel"), []string{"9", "60000"}}))
	if s.chance(3) { // the id is in use
		s.send("a", s.envelope(4, "s", call{"Counter", []string{"1", "0"}}))
	}
	if s.chance(3) {
		s.send("a", s.envelope(1, s.id(), s.soundCall()))
	}
	s.send("a", `{"type":5,"invocationId":"s"}␞`)
	if s.chance(2) {
		s.send("a", `{"type":5,"invocationId":"s"}␞`)
	}
	if s.chance(2) { // and is free again
		s.send("a", s.envelope(4, "s", call{"Counter", []string{"2", "0"}}))
	}
	s.fence("a")
	s.end("a")
}

// uploadScript sends streams to the server (F-100 to F-105).
func uploadScript(s *script) {
	s.mixed = true
	s.connectAny("a")
	method, streams, kind := "Upload", []string{"u1"}, 1
	var args []string
	switch s.IntN(4) {
	case 0:
		method, kind = "UploadDouble", 4
	case 1:
		method, streams, args = "UploadTwo", []string{"u1", "u2"}, []string{`"name"`}
	}
	switch s.IntN(10) {
	case 0:
		streams = streams[1:]
	case 1:
		streams = append(streams, "u3")
	case 2:
		args = append(args, s.value(1))
	case 3:
		kind = 5 - kind
	case 4:
		method = s.respell(method)
	}
	message := s.envelope(kind, s.callID(), call{method, args}, s.member("streamIds", fmt.Sprintf(`["%s"]`, strings.Join(streams, `","`))))
	if kind == 4 && !strings.Contains(message, `"invocationId"`) {
		message = s.envelope(kind, s.id(), call{method, args}, s.member("streamIds", `["u1"]`))
	}
	s.send("a", message)
	batch := s.chance(3)
	var b strings.Builder
	emit := func(text string) {
		if batch {
			b.WriteString(text)
		} else {
			s.send("a", text).rush = s.chance(2)
		}
	}
	for range s.IntN(8) {
		item := strconv.Itoa(s.IntN(100))
		if s.chance(12) {
			item = pick(s, "null", `"1"`, "1.5", "{}", "2147483648")
		}
		emit(fmt.Sprintf(`{"type":2,"invocationId":"%s","item":%s}␞`, pick(s, "u1", "u1", "u2", "u3"), item))
	}
	for _, id := range []string{"u1", "u2", "u3"} {
		switch s.IntN(6) {
		case 0:
			emit(fmt.Sprintf(`{"type":3,"invocationId":"%s","error":%s}␞`, id, pick(s, `"on purpose"`, `""`)))
		case 1:
			emit(fmt.Sprintf(`{"type":3,"invocationId":"%s","result":%s}␞`, id, pick(s, "1", "null", `"x"`)))
		default:
			emit(fmt.Sprintf(`{"type":3,"invocationId":"%s"}␞`, id))
		}
	}
	if batch {
		s.send("a", b.String())
	}
	s.fence("a")
	s.end("a")
}

// resultScript has the server ask the client (F-106 to F-109).
func resultScript(s *script) {
	s.host = hostParallel // with the default of one call at a time the answer is read as well, but later calls run before it
	s.mixed = true
	s.connectAny("a")
	asker := "a"
	if s.chance(3) {
		s.connectAny("b")
		s.send("b", s.envelope(1, s.id(), call{"AskOther", []string{`"{a.id}"`, s.text()}}))
		asker = "b"
	} else {
		s.send("a", s.envelope(1, s.id(), call{"AskCaller", []string{strconv.Itoa(s.IntN(100))}}))
	}
	answer := pick(s, `"result":1`, `"result":42`, `"result":null`, `"result":"text"`, `"result":[1]`, `"error":"no"`, `"error":""`, "", `"result":1.5`, `"result":"1"`, `"result":{}`)
	if answer != "" {
		answer = "," + answer
	}
	s.send("a", `{"type":3,"invocationId":"{ask1}"`+answer+`}␞`)
	if s.chance(3) {
		s.send("a", `{"type":3,"invocationId":"{ask1}","result":7}␞`) // a second answer is ignored
	}
	s.fence(asker)
}

// sendScript has two connections send to each other, to groups, to users and to all (F-139 to F-143).
func sendScript(s *script) {
	labels := []string{"a", "b"}
	for _, label := range labels {
		s.connectAny(label)
	}
	group := func() string { return `"` + s.mark + pick(s, "", "", "X") + `"` }
	for range 2 + s.IntN(6) {
		text := `"` + s.mark + pick(s, "", " Grüße", ` \u2028`, " 😀") + `"`
		c := pick(s,
			call{"SendCaller", []string{text}}, call{"JoinGroup", []string{group()}}, call{"JoinGroup", []string{group()}}, call{"LeaveGroup", []string{group()}},
			call{"SendToGroup", []string{group(), text}}, call{"SendToOthersInGroup", []string{group(), text}}, call{"SendTo", []string{`"{b.id}"`, text}},
			call{"SendTo", []string{`"{a.id}"`, text}}, call{"SendTo", []string{`"nobody"`, text}}, call{"SendToUser", []string{`"` + s.mark + `"`, text}},
			call{"SendGroupExcept", []string{group(), `["{a.id}"]`, text}}, call{"SendGroupExcept", []string{group(), `[]`, text}}, call{"Me", nil},
			call{"Burst", []string{strconv.Itoa(s.IntN(30))}}, call{"SendTo", []string{"null", text}}, call{"SendToGroup", []string{`""`, text}},
			call{"SendToGroup", []string{"null", text}}, call{"JoinGroup", []string{"null"}}, call{"SendToUser", []string{"null", text}},
			call{"LeaveGroup", []string{"null"}},
		)
		s.send(pick(s, labels...), s.envelope(1, s.callID(), c))
	}
	s.fence("a")
	s.fence("b")
	s.end(pick(s, labels...))
}

// broadcastScript sends to all connections of a server, so that no other may be there.
func broadcastScript(s *script) {
	s.alone = true
	for _, label := range []string{"a", "b"} {
		s.connectAny(label)
	}
	for range 1 + s.IntN(4) {
		text := pick(s, s.text(), "null")
		c := pick(s, call{"Broadcast", []string{text}}, call{"SendOthers", []string{text}}, call{"SendAllExcept", []string{`["{a.id}"]`, text}},
			call{"SendAllExcept", []string{`[]`, text}}, call{"SendAllExcept", []string{`["{a.id}","{b.id}","x"]`, text}}, call{"SendAllExcept", []string{"null", text}},
			call{"Note", []string{strconv.Itoa(s.IntN(9))}}, call{"Notes", nil})
		s.send(pick(s, "a", "b"), s.envelope(1, s.callID(), c))
	}
	s.send("a", s.envelope(1, s.id(), call{"Notes", nil}))
	s.fence("b")
}

// abortScript ends a connection from the server's side, in the middle of calls (F-110, F-113).
func abortScript(s *script) {
	s.connectAny("a")
	for range s.IntN(3) {
		s.send("a", s.envelope(1, s.callID(), s.soundCall()))
	}
	s.send("a", pick(s, s.envelope(1, s.callID(), call{"AbortMe", nil}), `{"type":7}␞`, `{"type":7,"error":"x"}␞`, `{"type":7,"allowReconnect":true}␞`, `{"type":7,"error":null}␞`,
		`{"type":7,"allowReconnect":1}␞`))
	s.fence("a")
}

// statefulScript cuts a connection with stateful reconnect and comes back (F-128 to F-136).
func statefulScript(s *script) {
	s.host = hostStateful
	s.kinds["a"] = "ws"
	s.negotiate("a", "/hub", "&useStatefulReconnect=true")
	s.do("ws.open", "a", target("a"))
	s.do("text", "a", `{"protocol":"json","version":2}␞`)
	sent, got, acked := 0, 0, 0
	calls := func() {
		for range s.IntN(4) {
			s.do("text", "a", s.envelope(1, s.id(), call{"Add", []string{strconv.Itoa(s.IntN(99)), "1"}}))
			sent, got = sent+1, got+1
		}
	}
	calls()
	for range 1 + s.IntN(3) {
		if s.chance(3) {
			n := s.IntN(got + 2)
			s.oddAcks = s.oddAcks || n == 0 || n < acked || n > got
			acked = n
			s.do("text", "a", fmt.Sprintf(`{"type":8,"sequenceId":%d}␞`, n))
		}
		s.do("drop", "a", pick(s, "", "", "reset"))
		s.do("ws.open", "a", target("a"))
		s.do("text", "a", fmt.Sprintf(`{"type":9,"sequenceId":%d}␞`, sent+1))
		calls()
	}
	if s.chance(6) {
		s.do("text", "a", fmt.Sprintf(`{"type":9,"sequenceId":%d}␞`, sent+10))
	}
	s.fence("a")
}
