package msgpackprotocol

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"signalbox/signalr/protocol"
)

// differentTexts are the rows of frames-read.txt that are told in another way: the reference knows the type that it
// wants when it finds that there is no value, and a Close message says no more of an empty error than of none.
var differentTexts = map[string]string{
	"close-empty":  `Close error=null allowReconnect=false ; END`,
	"item-3-items": `StreamBindingFailure id="int" [InvalidDataException: Deserializing object for 'item' failed.] ; END`,
}

func TestParseFrames(t *testing.T) {
	p := New(nil)
	for _, row := range vectors(t, "frames-read.txt") {
		t.Run(row[0], func(t *testing.T) {
			want := row[2]
			if other, ok := differentTexts[row[0]]; ok {
				want = other
			}
			want = shortChains(want)
			if got := describeFrames(t, p, unhex(t, row[1])); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

// shortChains leaves of every chain of exceptions the first, which is the one that a client may see, and the last, if
// it is a chain of those that DecodeArguments reports.
func shortChains(s string) string {
	messages := strings.Split(s, " ; ")
	for i, m := range messages {
		chain := strings.Split(m, " <- ")
		switch {
		case len(chain) == 1:
		case strings.Contains(chain[0], "Error binding arguments"), strings.Contains(chain[0], "Deserializing"):
			messages[i] = chain[0] + " <- " + chain[len(chain)-1]
		case strings.HasSuffix(chain[len(chain)-1], "]"):
			messages[i] = chain[0] + "]"
		default:
			messages[i] = chain[0]
		}
	}
	return strings.Join(messages, " ; ")
}

// describeFrames parses data and binds what it finds, and tells what came of it in the words of frames-read.txt.
func describeFrames(t *testing.T, p *Protocol, data []byte) string {
	var out []string
	for len(data) > 0 {
		m, n, err := p.Parse(data)
		if err != nil {
			return strings.Join(append(out, "ERROR "+named(err)), " ; ")
		}
		if n == 0 {
			return strings.Join(append(out, fmt.Sprintf("INCOMPLETE %d", len(data))), " ; ")
		}
		out = append(out, describe(t, p, m))
		data = data[n:]
	}
	return strings.Join(append(out, "END"), " ; ")
}

func named(err error) string {
	if e, ok := errors.AsType[*protocol.DataError](err); ok {
		return e.Name + ": " + e.Text
	}
	if e, ok := err.(interface{ ErrorName() string }); ok {
		return e.ErrorName() + ": " + err.Error()
	}
	return dotnetName(err) + ": " + err.Error()
}

// dotnetName returns the .NET name of the errors that have no name of their own because nobody sees them.
func dotnetName(err error) string {
	switch {
	case errors.Is(err, errEnd):
		return "EndOfStreamException"
	case errors.Is(err, errOverflow):
		return "OverflowException"
	default:
		return "MessagePackSerializationException"
	}
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

func describe(t *testing.T, p *Protocol, m protocol.Message) string {
	switch m := m.(type) {
	case nil:
		return "IGNORED"
	case *protocol.Invocation:
		return describeInvocation(p, m)
	case *protocol.StreamItem:
		if m.ItemErr != nil {
			return fmt.Sprintf("StreamBindingFailure id=%q [%s]", m.InvocationID, named(m.ItemErr))
		}
		item, err := bind(p, m.InvocationID, m.RawItem)
		if err != nil {
			return fmt.Sprintf("StreamBindingFailure id=%q [%s <- %s]", m.InvocationID,
				strings.Replace(named(err), "'argument'", "'item'", 1), named(innermost(err)))
		}
		return fmt.Sprintf("StreamItem id=%q item=%s%s", m.InvocationID, item, describeHeaders(m.Headers))
	case *protocol.Completion:
		return describeCompletion(t, p, m)
	case *protocol.CancelInvocation:
		return fmt.Sprintf("CancelInvocation id=%q%s", m.InvocationID, describeHeaders(m.Headers))
	case *protocol.Ping:
		return "Ping"
	case *protocol.Close:
		return fmt.Sprintf("Close error=%s allowReconnect=%t", quoteOrNull(m.Error, m.Error != ""), m.AllowReconnect)
	case *protocol.Ack:
		return fmt.Sprintf("Ack %d", m.SequenceID)
	case *protocol.Sequence:
		return fmt.Sprintf("Sequence %d", m.SequenceID)
	default:
		return fmt.Sprintf("%T", m)
	}
}

// targets are the methods that the binder of frames-read.txt knows, with pointers to new parameters.
var targets = map[string]func() []any{
	"Echo":       func() []any { return []any{new(*string)} },
	"Add":        func() []any { return []any{new(int32), new(int32)} },
	"Void":       func() []any { return nil },
	"EchoPerson": func() []any { return []any{new(*person)} },
	"Note":       func() []any { return []any{new(int32)} },
	"Any":        func() []any { return []any{new(any)} },
}

func describeInvocation(p *Protocol, m *protocol.Invocation) string {
	target := m.Target
	for name := range targets {
		if !m.Stream && strings.EqualFold(name, target) {
			target = name
		}
	}
	head := fmt.Sprintf("id=%s target=%q", quoteOrNull(m.InvocationID, m.InvocationID != ""), target)
	parameters, ok := targets[target]
	if !ok {
		return "BindingFailure " + head + " [HubException: Method does not exist.]"
	}
	args := parameters()
	err := m.ArgumentsErr
	if err == nil {
		err = p.DecodeArguments(m.RawArguments, args...)
	}
	if err != nil {
		chain := named(err)
		if last := innermost(err); last != err {
			chain += " <- " + named(last)
		}
		return "BindingFailure " + head + " [" + chain + "]"
	}
	kind := "Invocation"
	if m.Stream {
		kind = "StreamInvocation"
	}
	var values []string
	for _, a := range args {
		values = append(values, describeValue(a))
	}
	streams := "null"
	if len(m.StreamIDs) > 0 {
		streams = strings.ReplaceAll(fmt.Sprintf("%q", m.StreamIDs), " ", ",")
	}
	return fmt.Sprintf("%s %s args=[%s] streams=%s%s", kind, head, strings.Join(values, ","), streams, describeHeaders(m.Headers))
}

func describeCompletion(t *testing.T, p *Protocol, m *protocol.Completion) string {
	result, text := "null", quoteOrNull(m.Error, m.HasError)
	has := m.HasResult
	if has && m.InvocationID != "zzz" { // the binder knows no call of that name
		var err error
		if result, err = bind(p, m.InvocationID, m.RawResult); err != nil {
			has, result = false, "null"
			text = fmt.Sprintf("%q", "Error trying to deserialize result to Int32. "+err.Error())
		}
	}
	if m.ResultErr != nil {
		t.Error("ResultErr:", m.ResultErr)
	}
	return fmt.Sprintf("Completion id=%q error=%s hasResult=%t result=%s", m.InvocationID, text, has, result)
}

// bind decodes the item or result of the stream or call with the given id, which is named for its type.
func bind(p *Protocol, id string, raw protocol.RawValue) (string, error) {
	switch id {
	case "int":
		var n int32
		err := p.Decode(raw, &n)
		return describeValue(&n), err
	case "person":
		var v *person
		err := p.Decode(raw, &v)
		return describeValue(&v), err
	case "raw":
		var v protocol.RawValue
		err := p.Decode(raw, &v)
		return fmt.Sprintf("RawResult(%x)", []byte(v)), err
	default:
		var s *string
		err := p.Decode(raw, &s)
		return describeValue(&s), err
	}
}

func describeHeaders(headers protocol.Headers) string {
	if headers == nil {
		return ""
	}
	var pairs []string
	for name, value := range headers {
		pairs = append(pairs, fmt.Sprintf("%q:%q", name, value))
	}
	slices.Sort(pairs)
	return " headers={" + strings.Join(pairs, ",") + "}"
}

func quoteOrNull(s string, ok bool) string {
	if !ok {
		return "null"
	}
	return `"` + s + `"`
}
