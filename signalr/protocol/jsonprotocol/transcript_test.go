package jsonprotocol

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"signalbox/signalr/protocol"
)

// TestTranscripts plays the part of the reference server in the recorded conversations, as far as it concerns a
// protocol: every answer has to be the same to the byte.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replay(t, string(text))
		})
	}
}

// refusedHere are records with a fault in their arguments that the reference happens to find only when it binds them,
// and that are simply no JSON here (F-070).
var refusedHere = map[string]bool{
	`{"type":1,"invocationId":"1","target":"Add","arguments":[1,]}␞`:   true,
	`{"type":1,"invocationId":"4","target":"Add","arguments":[1,,2]}␞`: true,
}

func replay(t *testing.T, text string) {
	head, steps, _ := strings.Cut(text, "\n\n")
	detailed := strings.Contains(head, "options: DETAILED=1")
	answers := map[string][]string{} // what each connection has still to say
	refused := map[string]bool{}     // connections that are closed here, but not there
	for line := range strings.Lines(steps) {
		words := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(words) < 4 || words[1] != "text" && words[1] != "bin" {
			continue
		}
		name, payload := words[2], words[3]
		switch {
		case strings.HasPrefix(payload, `{"protocol"`), payload == "{}␞":
		case words[0] == ">":
			server := referenceServer{p: New(nil), detailed: detailed}
			answers[name] = append(answers[name], server.answer(t, unescapePayload(t, payload))...)
			if refused[name] = refusedHere[payload]; refused[name] && !strings.HasPrefix(answers[name][0], `{"type":7`) {
				t.Errorf("%s: %q, want a Close message", payload, answers[name])
			}
		case refused[name]:
			delete(answers, name)
		case len(answers[name]) == 0:
			t.Errorf("no answer, want %s", payload)
		default:
			if got, want := answers[name][0], string(unescapePayload(t, payload)); got != want {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
			answers[name] = answers[name][1:]
		}
	}
	for name, left := range answers {
		if len(left) > 0 {
			t.Errorf("%s says more: %q", name, left)
		}
	}
}

var repetition = regexp.MustCompile(`\{rep (.) (\d+)\}`)

func unescapePayload(t *testing.T, s string) []byte {
	t.Helper()
	if digits, ok := strings.CutPrefix(s, "hex:"); ok {
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	s = repetition.ReplaceAllStringFunc(s, func(m string) string {
		parts := repetition.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Repeat(parts[1], n)
	})
	return []byte(strings.NewReplacer("␞", "\x1e", "␉", "\t").Replace(s))
}

// referenceServer does what the reference server does with the methods of the transcripts.
type referenceServer struct {
	p        *Protocol
	detailed bool
}

type (
	person struct {
		Name *string
		Age  int32
	}
	child struct {
		Name  *string
		Value int32
	}
	complexValue struct {
		Text  *string
		Ints  []int32
		D     float64
		Flag  *bool
		Child *child
		Nul   *string
		Enum  int32
	}
)

// answer returns the messages that data gets, up to the Close message of one that breaks the protocol.
func (s *referenceServer) answer(t *testing.T, data []byte) (answers []string) {
	t.Helper()
	for len(data) > 0 {
		m, n, err := s.p.Parse(data)
		if err != nil {
			closing := &protocol.Close{Error: "Connection closed with an error." + s.detail(err), AllowReconnect: true}
			return append(answers, s.write(t, closing))
		}
		if n == 0 {
			t.Fatalf("%q is incomplete", data)
		}
		data = data[n:]
		if call, ok := m.(*protocol.Invocation); ok && call.InvocationID != "" {
			answers = append(answers, s.write(t, s.call(call)))
		}
	}
	return answers
}

func (s *referenceServer) detail(err error) string {
	if named, ok := err.(interface{ ErrorName() string }); ok && s.detailed {
		return " " + named.ErrorName() + ": " + err.Error()
	}
	return ""
}

func (s *referenceServer) write(t *testing.T, m protocol.Message) string {
	t.Helper()
	b, err := s.p.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (s *referenceServer) call(m *protocol.Invocation) *protocol.Completion {
	result, ok, err := s.invoke(m)
	c := &protocol.Completion{InvocationID: m.InvocationID, HasResult: true, Result: result}
	switch {
	case !ok:
		c.Error = "Failed to invoke '" + m.Target + "' due to an error on the server. HubException: Method does not exist."
	case err != nil:
		c.Error = "Failed to invoke '" + m.Target + "' due to an error on the server." + s.detail(err)
	}
	return c
}

func (s *referenceServer) invoke(m *protocol.Invocation) (result any, ok bool, err error) {
	switch m.Target {
	case "Void":
		return nil, true, s.p.DecodeArguments(m.RawArguments)
	case "Add":
		var a, b int32
		err = s.p.DecodeArguments(m.RawArguments, &a, &b)
		return a + b, true, err
	case "EchoPerson":
		var v *person
		if err = s.p.DecodeArguments(m.RawArguments, &v); err == nil {
			if v != nil {
				v.Age++
			}
		}
		return v, true, err
	case "Echo":
		return echo[*string](s.p, m)
	case "EchoAny":
		return echo[protocol.RawValue](s.p, m)
	case "EchoBytes":
		return echo[[]byte](s.p, m)
	case "EchoMap":
		return echo[map[string]int32](s.p, m)
	case "EchoComplex":
		return echo[*complexValue](s.p, m)
	default:
		return nil, false, nil
	}
}

func echo[T any](p *Protocol, m *protocol.Invocation) (result any, ok bool, err error) {
	var v T
	err = p.DecodeArguments(m.RawArguments, &v)
	return v, true, err
}
