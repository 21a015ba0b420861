package differential_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"signalbox/e2e/wire"
)

// transports are the ways to connect, in the words of scripts.
var transports = []string{"ws", "sse", "lp"}

// A move is one thing that the client does. The next move waits until both servers have answered, unless rush is set.
type move struct {
	step wire.Step
	rush bool
}

// A script is what the client does in one exchange. It is made from a seed alone.
type script struct {
	*rand.Rand
	// family names the generator that made the script, host the options of the servers that it is played on.
	family, host string
	moves        []move
	// alone says that the script changes or reads what all connections of a server share.
	alone bool
	// mixed says that calls of the script run side by side.
	mixed bool
	// number is that of the exchange within its seed.
	number int
	// oddAcks says that the client acknowledges what was not sent, or less than before.
	oddAcks bool
	// mark is a text that no other script has.
	mark string

	kinds  map[string]string // transport by label
	counts map[string]int    // requests made so far, by label
	ids    int
}

// chance is true once in so many times.
func (s *script) chance(n int) bool { return s.IntN(n) == 0 }

// pick returns one of its arguments.
func pick[T any](s *script, of ...T) T { return of[s.IntN(len(of))] }

// id returns the next invocation id.
func (s *script) id() string {
	s.ids++
	return strconv.Itoa(s.ids)
}

// do adds a move.
func (s *script) do(verb, label, rest string, headers ...wire.Header) *move {
	s.moves = append(s.moves, move{step: wire.Step{Sign: '>', Verb: verb, Label: label, Rest: rest, Headers: headers}})
	return &s.moves[len(s.moves)-1]
}

// request adds a request with a body, nil for none; its label is that of the connection and a number.
func (s *script) request(label, method, target string, body *string, headers ...wire.Header) {
	s.counts[label]++
	m := s.do("http", fmt.Sprintf("%s.%d", label, s.counts[label]), method+" "+target, headers...)
	m.step.Body = body
}

// target is the path and query of a connection's requests.
func target(label string) string { return "/hub?id={" + label + ".token}" }

// negotiate adds a negotiation; query follows its version.
func (s *script) negotiate(label, path, query string) {
	s.do("http", label+".neg", "POST "+path+"/negotiate?negotiateVersion=1"+query)
}

// open negotiates and opens a connection, without the handshake.
func (s *script) open(transport, label string) {
	s.kinds[label] = transport
	s.negotiate(label, "/hub", "")
	s.attach(label, target(label))
}

// attach opens the transport of a connection.
func (s *script) attach(label, target string) {
	s.do(s.kinds[label]+".open", label, target)
}

// connect opens a connection and shakes hands.
func (s *script) connect(transport, label string) {
	s.open(transport, label)
	s.send(label, `{"protocol":"json","version":1}␞`)
}

// connectAny connects with one of the transports, mostly WebSockets.
func (s *script) connectAny(label string) {
	s.connect(pick(s, "ws", "ws", "sse", "lp"), label)
}

// send sends a payload, in the notation of transcripts, over the transport of a connection.
func (s *script) send(label, payload string) *move {
	if s.kinds[label] == "ws" {
		return s.do(pick(s, "text", "text", "text", "bin"), label, payload)
	}
	s.request(label, "POST", target(label), &payload)
	return &s.moves[len(s.moves)-1]
}

// sendInParts cuts a payload between any two characters and sends the parts one by one.
func (s *script) sendInParts(label, payload string) {
	for rest := []rune(payload); len(rest) > 0; {
		n := 1 + s.IntN(len(rest))
		s.send(label, string(rest[:n]))
		rest = rest[n:]
	}
}

// fence calls a method with a known answer, so that all in front of it has been read when the answer comes.
func (s *script) fence(label string) {
	s.send(label, `{"type":1,"invocationId":"fence","target":"Add","arguments":[1,2]}␞`)
}

// end closes a connection in one of the ways that a client has.
func (s *script) end(label string) {
	switch s.IntN(4) {
	case 0:
		s.send(label, `{"type":7}␞`)
	case 1:
		switch s.kinds[label] {
		case "ws":
			s.do("close", label, pick(s, "-", "1000", "1001 bye", "1000 done"))
		case "lp":
			s.request(label, "DELETE", target(label), nil)
		}
	}
}

// String writes the script as the client's side of a transcript.
func (s *script) String() string {
	var b strings.Builder
	for _, m := range s.moves {
		b.WriteString(m.step.String())
		b.WriteByte('\n')
	}
	return b.String()
}
