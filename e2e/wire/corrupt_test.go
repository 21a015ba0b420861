package wire_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"signalbox/e2e/wire"
)

// corrupt returns a copy of a transcript in which one thing that the server must do is changed to something that it
// does not do, with a description of the step before and after.
func corrupt(t *wire.Transcript, rng *rand.Rand) (corrupted *wire.Transcript, was, is string) {
	c := *t
	c.Steps = slices.Clone(t.Steps)
	var steps, negotiations []*wire.Step
	for i := range c.Steps {
		switch step := &c.Steps[i]; {
		case step.Sign != '<' || step.Verb == "eof" || step.Verb == "gone": // they say nothing that can be changed
		case strings.HasSuffix(step.Label, ".neg"): // all begin with these: the last choice
			negotiations = append(negotiations, step)
		default:
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		steps = negotiations
	}
	step := steps[rng.IntN(len(steps))]
	was = describe(step)
	change(step, rng)
	return &c, was, describe(step)
}

func change(step *wire.Step, rng *rand.Rand) {
	switch {
	case step.Body != nil && *step.Body != "" && rng.IntN(2) == 0:
		body := replaceLast(*step.Body)
		step.Body = &body
	case len(step.Headers) > 0 && rng.IntN(2) == 0:
		step.Headers = slices.Clone(step.Headers)
		step.Headers[rng.IntN(len(step.Headers))].Value += "Z"
	case slices.Contains([]string{"http", "ws.open", "sse.open"}, step.Verb):
		status, _ := strconv.Atoi(step.Rest) // a status that is no number becomes 1, which is wrong as well
		step.Rest = strconv.Itoa(status + 1)
	case step.Verb == "close":
		if strings.HasPrefix(step.Rest, "1007") {
			step.Rest = "1000"
		} else {
			step.Rest = "1007"
		}
	case step.Verb == "end":
		step.Rest += "9"
	case strings.HasPrefix(step.Rest, "hex:"):
		step.Rest += " 5a"
	default: // a Z in front of the record separator
		runes := []rune(step.Rest)
		end := max(0, len(runes)-1)
		step.Rest = strings.TrimRight(string(runes[:end]), "}") + "Z" + string(runes[end:])
	}
}

func replaceLast(text string) string {
	runes := []rune(text)
	last := len(runes) - 1
	if runes[last] == 'Z' {
		return string(runes[:last]) + "Y"
	}
	return string(runes[:last]) + "Z"
}

func describe(step *wire.Step) string {
	text := fmt.Sprintf("line %d: %c %s %s %s", step.Line, step.Sign, step.Verb, step.Label, step.Rest)
	for _, h := range step.Headers {
		text += fmt.Sprintf("\n  %s: %s", h.Name, h.Value)
	}
	if step.Body != nil {
		text += "\n  body: " + *step.Body
	}
	return text
}
