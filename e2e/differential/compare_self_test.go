package differential_test

import (
	"testing"

	"signalbox/e2e/wire"
)

// TestScriptsAreRepeatable: a seed and a number make the same script each time, so that a failure can be seen again.
func TestScriptsAreRepeatable(t *testing.T) {
	families := map[string]bool{}
	for i := range 300 {
		a, b := newScript(3, i), newScript(3, i)
		if a.String() != b.String() || a.host != b.host || len(a.moves) == 0 {
			t.Fatalf("number %d made\n%s\nand\n%s", i, a, b)
		}
		families[a.family] = true
	}
	if len(families) < len(generators())-3 {
		t.Errorf("300 scripts are of %d families only", len(families))
	}
}

// TestCompare: what counts as a difference.
func TestCompare(t *testing.T) {
	text := func(label, record string) wire.Step {
		return wire.Step{Sign: '<', Verb: "text", Label: label, Rest: record + "␞"}
	}
	head := func(status string, headers ...wire.Header) wire.Step {
		return wire.Step{Sign: '<', Verb: "http", Label: "a.1", Rest: status, Headers: headers}
	}
	one, two := text("a", `{"type":3,"invocationId":"1","result":1}`), text("a", `{"type":3,"invocationId":"2","result":1}`)
	other := text("b", `{"type":6}`)
	for _, row := range []struct {
		name      string
		ref, ours []wire.Step
		mixed     bool
		differ    bool
	}{
		{"the same", []wire.Step{one, two}, []wire.Step{one, two}, false, false},
		{"another order", []wire.Step{one, two}, []wire.Step{two, one}, false, true},
		{"another order of calls side by side", []wire.Step{one, two}, []wire.Step{two, one}, true, false},
		{"another order of connections", []wire.Step{one, other}, []wire.Step{other, one}, false, false},
		{"nothing of ours", []wire.Step{one}, nil, false, true},
		{"nothing of the reference's", nil, []wire.Step{one}, true, true},
		{"another status", []wire.Step{head("200")}, []wire.Step{head("404")}, false, true},
		{"another header", []wire.Step{head("200", wire.Header{Name: "Pragma", Value: "no-cache"})}, []wire.Step{head("200")}, false, true},
		{"a free header", []wire.Step{head("200", wire.Header{Name: "Connection", Value: "close"})}, []wire.Step{head("200")}, false, false},
	} {
		if got := compare(row.ref, row.ours, row.mixed); (got != nil) != row.differ {
			t.Errorf("%s: %v", row.name, got)
		}
	}
}
