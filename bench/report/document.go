package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Record is what one server did in one round of one case.
type Record struct {
	Section string             `json:"section"` // the key of a [Section]
	Case    string             `json:"case"`
	Server  string             `json:"server"` // the key of a [Server]
	Round   int                `json:"round"`
	Values  map[string]float64 `json:"values,omitempty"` // by the key of a [Metric]
	Note    string             `json:"note,omitempty"`
	// Failed says why there are no values.
	Failed string `json:"failed,omitempty"`
}

// Metric is something that is measured.
type Metric struct {
	Key  string
	Name string // the head of its column, with the unit
	// Digits are how many digits follow the decimal point.
	Digits int
	// Compared metrics get a line in the table of ratios. Less is better in all of them.
	Compared bool
}

// Section is a scenario with its cases.
type Section struct {
	Key     string
	Title   string
	About   string
	Metrics []Metric
}

// Server is one of those that are compared.
type Server struct {
	Key     string
	Name    string
	Version string
	About   string
}

// LeftOut is a server that was not measured.
type LeftOut struct {
	Name, Why string
}

// Document is a report. The first server is the one that the others are compared with.
type Document struct {
	Machine  string
	Date     string
	Settings string
	Servers  []Server
	LeftOut  []LeftOut
	Sections []Section
	Records  []Record
}

// Write writes the document in Markdown.
func (d *Document) Write(w io.Writer) error {
	var b bytes.Buffer
	d.writeHead(&b)
	d.writeRatios(&b)
	for _, s := range d.Sections {
		if len(d.cases(s.Key)) > 0 {
			d.writeSection(&b, s)
		}
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func (d *Document) writeHead(b *bytes.Buffer) {
	fmt.Fprintf(b, "# Performance\n\nWritten by `make bench` on %s; do not edit. "+
		"`bench/README.md` says how it measures.\n\n", d.Date)
	fmt.Fprintf(b, "* Machine: %s\n* Run: %s\n\n", d.Machine, d.Settings)
	b.WriteString("| server | version | what it is |\n|---|---|---|\n")
	for _, s := range d.Servers {
		fmt.Fprintf(b, "| %s | %s | %s |\n", s.Name, s.Version, s.About)
	}
	b.WriteByte('\n')
	for _, l := range d.LeftOut {
		fmt.Fprintf(b, "Left out: %s: %s.\n\n", l.Name, strings.TrimSuffix(oneLine(l.Why), "."))
	}
}

// writeRatios writes the table that compares the first server with each of the others.
func (d *Document) writeRatios(b *bytes.Buffer) {
	others := d.compared()
	if len(others) == 0 {
		return
	}
	ours := d.Servers[0]
	fmt.Fprintf(b, "## %[1]s compared\n\nEach number is %[1]s's median divided by the other server's: "+
		"below 1 %[1]s needs less.\n\n", ours.Name)
	b.WriteString("| |")
	for _, s := range others {
		fmt.Fprintf(b, " %s |", s.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(others)) + "\n")
	for _, section := range d.Sections {
		for _, c := range d.cases(section.Key) {
			for _, m := range section.Metrics {
				if m.Compared {
					d.writeRatioLine(b, section, c, m, others)
				}
			}
		}
	}
	b.WriteByte('\n')
}

// compared are the servers that the first one is compared with: those that were measured where something is compared.
func (d *Document) compared() []Server {
	var keys []string
	for _, s := range d.Sections {
		if slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.Compared }) {
			keys = append(keys, s.Key)
		}
	}
	var servers []Server
	for _, s := range d.Servers[min(1, len(d.Servers)):] {
		if slices.ContainsFunc(d.Records, func(r Record) bool { return r.Server == s.Key && slices.Contains(keys, r.Section) }) {
			servers = append(servers, s)
		}
	}
	return servers
}

func (d *Document) writeRatioLine(b *bytes.Buffer, s Section, c string, m Metric, others []Server) {
	ours := d.spread(s.Key, c, d.Servers[0].Key, m.Key)
	if ours.N == 0 {
		return
	}
	line, compared := "", false
	for _, other := range others {
		r := Ratio(ours, d.spread(s.Key, c, other.Key, m.Key))
		compared = compared || !math.IsNaN(r)
		line += fmt.Sprintf(" %s |", ratioText(r))
	}
	if compared {
		fmt.Fprintf(b, "| %s, %s: %s |%s\n", s.Title, c, m.Name, line)
	}
}

func ratioText(r float64) string {
	if math.IsNaN(r) {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

func (d *Document) writeSection(b *bytes.Buffer, s Section) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n| | server |", s.Title, s.About)
	for _, m := range s.Metrics {
		fmt.Fprintf(b, " %s |", m.Name)
	}
	b.WriteString(" |\n|---|---|" + strings.Repeat("--:|", len(s.Metrics)) + "---|\n")
	for _, c := range d.cases(s.Key) {
		for _, server := range d.Servers {
			d.writeLine(b, s, c, server)
		}
	}
	b.WriteByte('\n')
}

func (d *Document) writeLine(b *bytes.Buffer, s Section, c string, server Server) {
	var notes []string
	found := false
	for _, r := range d.Records {
		if r.Section != s.Key || r.Case != c || r.Server != server.Key {
			continue
		}
		found = true
		note := r.Note
		if r.Failed != "" {
			note = "failed: " + r.Failed
		}
		if note = oneLine(note); note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	if !found {
		return
	}
	fmt.Fprintf(b, "| %s | %s |", c, server.Name)
	for _, m := range s.Metrics {
		fmt.Fprintf(b, " %s |", spreadText(d.spread(s.Key, c, server.Key, m.Key), m.Digits))
	}
	fmt.Fprintf(b, " %s |\n", strings.Join(notes, "; "))
}

// spreadText is the median, with the smallest and the largest value when there are several.
func spreadText(s Spread, digits int) string {
	number := func(v float64) string { return grouped(fmt.Sprintf("%.*f", digits, v)) }
	switch {
	case s.N == 0:
		return ""
	case s.N == 1, s.Min == s.Max:
		return number(s.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.Median), number(s.Min), number(s.Max))
}

// grouped puts commas between the thousands of a number.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, fraction, dot := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + fraction
	}
	return sign + whole
}

// oneLine makes text fit into a cell of a table.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}

// cases returns the cases of a section in the order in which they first came.
func (d *Document) cases(section string) []string {
	var names []string
	for _, r := range d.Records {
		if r.Section == section && !slices.Contains(names, r.Case) {
			names = append(names, r.Case)
		}
	}
	return names
}

func (d *Document) spread(section, c, server, metric string) Spread {
	var values []float64
	for _, r := range d.Records {
		if r.Section == section && r.Case == c && r.Server == server {
			if v, ok := r.Values[metric]; ok {
				values = append(values, v)
			}
		}
	}
	return SpreadOf(values)
}
