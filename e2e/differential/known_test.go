package differential_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"signalbox/e2e/wire"
)

// A known difference is one that docs/differences.md names.
type known struct {
	// name is how the test's summary calls it, row a piece of the line of docs/differences.md that has it. Where the
	// contract itself leaves open what comes, so that the reference decides by chance, there is open instead of row.
	name, row, open string
	// excuses reports whether a difference is this one.
	excuses func(s *script, ref []wire.Step, d *difference) bool
}

// explain returns the known difference that a difference is, or nil.
func explain(all []known, s *script, ref []wire.Step, d *difference) *known {
	for i := range all {
		if all[i].excuses(s, ref, d) {
			return &all[i]
		}
	}
	return nil
}

// knownDifferences lists what may differ. Each looks at both answers, so that nothing else hides behind it.
func knownDifferences() []known {
	return []known{
		{
			name: "texts of .NET's JSON parser and writer", row: "texts of the .NET JSON parser",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				isText := strings.Contains(d.ref, "JsonReaderException: ") || strings.Contains(d.ref, "FormatException: ")
				before, _, _ := strings.Cut(d.ref, "Exception: ")
				if strings.Contains(d.ref, "Exception: .NET number values ") || strings.Contains(d.ref, "JsonException: The object or value could not be serialized.") {
					return isCloseWithError(d.ref) && isCloseWithError(d.ours) && strings.Contains(d.ours, ": writing a JSON message")
				}
				return isText && s.host == hostDetailed && strings.HasPrefix(d.ours, before[:strings.LastIndexByte(before, ' ')+1])
			},
		},
		{
			name: "a message of unknown type is skipped", row: "an unknown message type",
			excuses: func(s *script, ref []wire.Step, d *difference) bool {
				return d.ref == "nothing" && sentUnknownType(ref)
			},
		},
		{
			name: "malformed JSON in arguments closes", row: "malformed JSON inside arguments",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return strings.Contains(d.ref, `"error":"Failed to invoke '`) && isCloseWithError(d.ours) && s.sentMalformed()
			},
		},
		{
			name: "the mode of a call is checked before its arguments", row: "a streaming call of a method that does not stream",
			excuses: func(_ *script, _ []wire.Step, d *difference) bool {
				return strings.Contains(d.ref, `"error":"Failed to invoke '`) && strings.Contains(d.ours, `"error":"The client attempted to invoke the `)
			},
		},
		{
			name: "arguments that do not fit are refused in order", row: "arguments that do not fit while another invocation",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return s.family == "slow" && strings.Contains(d.ref, `"error":"Failed to invoke '`) && strings.Contains(d.ours, `"invocationId":"1"`)
			},
		},
		{
			name: "a stream stays cancellable when its id is refused to another call", row: "cancelling a stream whose id was refused",
			excuses: func(s *script, ref []wire.Step, d *difference) bool {
				refused := slices.ContainsFunc(ref, func(step wire.Step) bool { return strings.Contains(step.Rest, "is already in use.") })
				return s.family == "cancel" && refused
			},
		},
		{
			name: "HTTP that is broken is answered by Go's server", row: "a request that is not well-formed HTTP",
			excuses: func(s *script, _ []wire.Step, d *difference) bool { return s.family == "chunked" && sentBrokenHTTP(s) },
		},
		{
			name: "an empty line keeps no CR in server-sent events", row: "an empty line that ends in CR LF",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return s.family == "echo" && s.kinds["a"] == "sse" && strings.ReplaceAll(d.ref, "␍", "") == strings.ReplaceAll(d.ours, "␍", "")
			},
		},
		{
			name: "a token of another endpoint", row: "a connection token at another endpoint",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return s.family == "requests" && s.usesToken(d.label) && (d.ours == "nothing" || strings.Contains(d.ours, "No Connection with that ID"))
			},
		},
		{
			name: "a close frame whose reason is not UTF-8", row: "a close frame whose reason is not UTF-8",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return strings.Contains(s.String(), "fin close hex: 03 e8 ff fe") && d.ref == "< close a 1002" && d.ours == "< close a 1007"
			},
		},
		{
			name: "an acknowledgement of what was not sent, or of less than before", row: "an acknowledgement of what was not sent",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return s.family == "stateful" && strings.Contains(d.ref, `"type":9`) && strings.Contains(d.ours, `"type":9`) && s.oddAcks
			},
		},
		{
			name: "DELETE between two polls", open: "the Close message finds no poll then, and is lost (F-041)",
			excuses: func(s *script, ref []wire.Step, d *difference) bool {
				sides := d.ref + d.ours
				deleted := slices.ContainsFunc(ref, func(step wire.Step) bool { return strings.HasPrefix(step.Rest, "DELETE ") })
				return deleted && strings.Contains(sides, `{"type":7,"allowReconnect":true}`) && strings.Contains(sides, "< end a ")
			},
		},
		{
			name: "a POST that ends its connection", open: "200 or 404, whichever is first: all of the body is taken, or the connection has ended (F-032)",
			excuses: func(_ *script, _ []wire.Step, d *difference) bool {
				const taken, gone = " 200\n  content-length: 0\n  content-type: text/plain\n  body: ", " 404\n  content-type: text/plain\n  body: "
				label := "< http " + d.label
				return d.ref == label+taken && d.ours == label+gone || d.ref == label+gone && d.ours == label+taken
			},
		},
		{
			name: "the end of TCP behind a close frame", open: "it may wait for 5 s while more of the client's bytes are unread (F-050)",
			excuses: func(s *script, ref []wire.Step, d *difference) bool {
				closed := slices.ContainsFunc(ref, func(step wire.Step) bool { return step.Sign == '<' && step.Verb == "close" })
				return d.ref == "nothing" && d.ours == "< eof a" && closed
			},
		},
		{
			name: "a later request of another user", row: "a later request of another user",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return s.family == "auth" && (strings.Contains(d.ours, " 403\n") || d.ours == "< end a 403") && !strings.HasPrefix(d.label, "a.neg")
			},
		},
		{
			name: "a target that is given twice", row: "a target or arguments given twice",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				const none = "Method does not exist."
				return s.family == "malformed" && strings.Count(lastRecord(s), `"target"`) > 1 &&
					(strings.Contains(d.ref, none) || strings.Contains(d.ref, "Unknown hub method ") || isCloseWithError(d.ref) && strings.Contains(d.ours, none))
			},
		},
		{
			name: "method names in lower case", row: "a method name in lower case",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return strings.Contains("\n"+s.String(), "\n> http "+d.label+" post ") && strings.Contains(d.ours, " 405\n")
			},
		},
		{
			name: "several WebSocket versions", row: "a WebSocket upgrade that names several versions",
			excuses: func(s *script, _ []wire.Step, d *difference) bool {
				return strings.Contains(s.String(), "sec-websocket-version: 13, 8") && strings.HasPrefix(d.ref, "< ws.open a 101")
			},
		},
	}
}

// isCloseWithError reports whether an answer is the Close message of an error.
func isCloseWithError(answer string) bool {
	return strings.Contains(answer, `{"type":7,"error":"Connection closed with an error.`)
}

var typeMember = regexp.MustCompile(`"type"\s*:\s*(-?[0-9]+)\b`)

// sentUnknownType reports whether the client sent a message of a type that no client has.
func sentUnknownType(steps []wire.Step) bool {
	for _, step := range steps {
		for _, match := range typeMember.FindAllStringSubmatch(spaces.Replace(payload(step)), -1) {
			if n := match[1]; len(n) > 1 || n < "1" {
				return true
			}
		}
	}
	return false
}

var spaces = strings.NewReplacer("␍", "\r", "␊", "\n", "␉", "\t")

// payload returns what a step of the client sends.
func payload(step wire.Step) string {
	switch {
	case step.Sign != '>':
		return ""
	case step.Body != nil:
		return *step.Body
	default:
		return step.Rest
	}
}

// sentMalformed reports whether any message of a script is not JSON.
func (s *script) sentMalformed() bool {
	for _, m := range s.moves {
		for record := range strings.SplitSeq(spaces.Replace(payload(m.step)), "␞") {
			if strings.HasPrefix(strings.TrimSpace(record), "{") && !json.Valid([]byte(record)) {
				return true
			}
		}
	}
	return false
}

// sentBrokenHTTP reports whether a script sends a body that is not as its head says.
func sentBrokenHTTP(s *script) bool {
	for _, m := range s.moves {
		for _, h := range m.step.Headers {
			if h.Name == "Content-Length" && strings.Trim(h.Value, "0123456789") != "" || h.Name == "Transfer-Encoding" && !strings.HasSuffix(*m.step.Body, "0␍␊␍␊") {
				return true
			}
		}
	}
	return false
}

// lastRecord returns the last message of a script in front of the fence.
func lastRecord(s *script) string {
	last := ""
	for _, m := range s.moves {
		if text := payload(m.step); strings.Contains(text, "␞") && !strings.Contains(text, `"fence"`) {
			last = text
		}
	}
	return last
}

// usesToken reports whether a request, or any on behalf of the connection that it concerns, names the connection's token
// at another endpoint than its own.
func (s *script) usesToken(label string) bool {
	for _, m := range s.moves {
		if m.step.Label == label || label == "a" && strings.HasPrefix(m.step.Label, "r.") {
			path, _, _ := strings.Cut(m.step.Rest[strings.IndexByte(m.step.Rest, '/'):], "?")
			if !strings.EqualFold(path, "/hub") && strings.Contains(m.step.Rest, "{a.token}") {
				return true
			}
		}
	}
	return false
}
