package differential_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/e2e/wire"
)

// A difference is the first answer that is not the same.
type difference struct {
	label     string // of the connection or request
	ref, ours string // the answers, or "nothing"
}

// compare returns the first difference between two recordings of a script, or nil. Answers are compared connection by
// connection, and on a connection call by call: the contract lets streams and calls that run side by side come in any
// order (F-091 to F-093).
func compare(ref, ours []wire.Step, mixed bool) *difference {
	a, b := answers(ref, mixed), answers(ours, mixed)
	for _, key := range slices.Concat(a.keys, b.keys) {
		x, y := a.lines[key], b.lines[key]
		for i := range max(len(x), len(y)) {
			d := difference{label: strings.TrimSpace(key), ref: "nothing", ours: "nothing"}
			if i < len(x) {
				d.ref = x[i]
			}
			if i < len(y) {
				d.ours = y[i]
			}
			if d.ref != d.ours {
				return &d
			}
		}
	}
	return nil
}

// answerLists are the answers of one server by connection and call, the keys in the order in which they were first
// seen.
type answerLists struct {
	keys  []string
	lines map[string][]string
}

func answers(steps []wire.Step, mixed bool) answerLists {
	all := answerLists{lines: map[string][]string{}}
	for _, step := range steps {
		if step.Sign != '<' {
			continue
		}
		key := step.Label
		if mixed {
			key += " " + callOf(step)
		}
		list := all.lines[key]
		switch last := len(list) - 1; {
		case list == nil:
			all.keys = append(all.keys, key)
			fallthrough
		case step.Verb != "raw": // bytes without messages may be cut anywhere
			list = append(list, normal(step))
		default:
			list[last] += step.Rest
		}
		all.lines[key] = list
	}
	return all
}

// callOf returns the id of the call that a record belongs to: a stream item or a completion.
func callOf(step wire.Step) string {
	if step.Verb != "text" {
		return ""
	}
	var record struct {
		Type         int
		InvocationID string
	}
	text, _ := strings.CutSuffix(step.Rest, "␞")
	if json.Unmarshal([]byte(text), &record) == nil && (record.Type == 2 || record.Type == 3) {
		return record.InvocationID
	}
	return ""
}

// normal writes an answer without what may differ between any two servers.
func normal(step wire.Step) string {
	if step.Verb == "sse.open" || step.Verb == "ws.open" || step.Verb == "http" {
		free := step.Rest >= "400" || step.Body != nil && strings.Contains(*step.Body, ".id}") // an error's is chunked there; our tokens are longer
		step.Headers = slices.DeleteFunc(slices.Clone(step.Headers), func(h wire.Header) bool {
			return slices.Contains(freeHeaders(), h.Name) || free && h.Name == "Content-Length"
		})
	}
	return step.String()
}

// freeHeaders are those that the contract leaves to the web server and its authentication.
func freeHeaders() []string {
	return []string{"Connection", "Upgrade", "X-Content-Type-Options", "Allow", "Www-Authenticate", "X-Accel-Buffering"}
}

// String shows both answers.
func (d *difference) String() string {
	return fmt.Sprintf("%s\n  reference: %s\n  ours:      %s", d.label, clip(d.ref), clip(d.ours))
}

// clip cuts long texts.
func clip(text string) string {
	const most = 600
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:most], len(text))
}
