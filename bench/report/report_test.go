package report

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestSpreadOf(t *testing.T) {
	rows := []struct {
		name   string
		values []float64
		want   Spread
	}{
		{"nothing", nil, Spread{}},
		{"one", []float64{3}, Spread{3, 3, 3, 1}},
		{"odd", []float64{9, 1, 2}, Spread{2, 1, 9, 3}},
		{"even", []float64{4, 1, 2, 9}, Spread{3, 1, 9, 4}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := SpreadOf(row.values); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestRatio(t *testing.T) {
	if got := Ratio(SpreadOf([]float64{1, 3, 2}), SpreadOf([]float64{8})); got != 0.25 {
		t.Errorf("got %v, want 0.25", got)
	}
	for _, theirs := range []Spread{{}, SpreadOf([]float64{0}), SpreadOf([]float64{-1})} {
		if got := Ratio(SpreadOf([]float64{1}), theirs); !math.IsNaN(got) {
			t.Errorf("the ratio to %+v is %v", theirs, got)
		}
	}
	if got := Ratio(Spread{}, SpreadOf([]float64{1})); !math.IsNaN(got) {
		t.Errorf("the ratio of nothing is %v", got)
	}
}

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "999": "999", "1000": "1,000", "1234567.89": "1,234,567.89", "-1234": "-1,234", "-12": "-12", "12.3456": "12.3456",
	} {
		if got := grouped(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestDocument(t *testing.T) {
	d := &Document{
		Machine: "a machine", Date: "1 May 2026", Settings: "3 rounds",
		Servers: []Server{{"ours", "Ours", "v1", "this"}, {"theirs", "Theirs", "v2", "that"}, {"counted", "Counted", "v3", "apart"}},
		LeftOut: []LeftOut{{"Gone", "it does not build:\n\tno | such folder."}},
		Sections: []Section{
			{Key: "echo", Title: "Echo", About: "About echo.", Metrics: []Metric{
				{Key: "cpu", Name: "CPU µs", Digits: 2, Compared: true}, {Key: "rate", Name: "per second"}}},
			{Key: "count", Title: "Count", About: "About counts.", Metrics: []Metric{{Key: "commands", Name: "commands"}}},
			{Key: "never", Title: "Never measured", Metrics: []Metric{{Key: "cpu", Compared: true}}},
		},
		Records: []Record{
			{Section: "echo", Case: "JSON", Server: "ours", Round: 1, Values: map[string]float64{"cpu": 4, "rate": 123456.7}},
			{Section: "echo", Case: "JSON", Server: "theirs", Round: 1, Values: map[string]float64{"cpu": 8, "rate": 10}, Note: "cut"},
			{Section: "echo", Case: "JSON", Server: "ours", Round: 2, Values: map[string]float64{"cpu": 6, "rate": 200000}},
			{Section: "echo", Case: "JSON", Server: "theirs", Round: 2, Values: map[string]float64{"cpu": 12, "rate": 20}, Note: "cut"},
			{Section: "echo", Case: "MessagePack", Server: "ours", Round: 1, Values: map[string]float64{"cpu": 3}},
			{Section: "echo", Case: "MessagePack", Server: "theirs", Round: 1, Failed: "it fell\nover"},
			{Section: "count", Case: "all", Server: "counted", Round: 1, Values: map[string]float64{"commands": 3}},
			{Section: "count", Case: "all", Server: "counted", Round: 2, Values: map[string]float64{"commands": 3}},
		},
	}
	const want = "# Performance\n\n" +
		"Written by `make bench` on 1 May 2026; do not edit. `bench/README.md` says how it measures.\n\n" +
		"* Machine: a machine\n* Run: 3 rounds\n\n" +
		"| server | version | what it is |\n|---|---|---|\n| Ours | v1 | this |\n| Theirs | v2 | that |\n| Counted | v3 | apart |\n\n" +
		"Left out: Gone: it does not build: no \\| such folder.\n\n" +
		"## Ours compared\n\nEach number is Ours's median divided by the other server's: below 1 Ours needs less.\n\n" +
		"| | Theirs |\n|---|--:|\n| Echo, JSON: CPU µs | 0.50 |\n\n" +
		"## Echo\n\nAbout echo.\n\n| | server | CPU µs | per second | |\n|---|---|--:|--:|---|\n" +
		"| JSON | Ours | 5.00 (4.00–6.00) | 161,728 (123,457–200,000) |  |\n" +
		"| JSON | Theirs | 10.00 (8.00–12.00) | 15 (10–20) | cut |\n" +
		"| MessagePack | Ours | 3.00 |  |  |\n" +
		"| MessagePack | Theirs |  |  | failed: it fell over |\n\n" +
		"## Count\n\nAbout counts.\n\n| | server | commands | |\n|---|---|--:|---|\n| all | Counted | 3 |  |\n\n"
	var b strings.Builder
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	broken := errors.New("broken")
	if err := d.Write(brokenWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the writer", err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
