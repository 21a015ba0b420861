package farm

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// What a server tells about its own process is told about all nodes together.

// connections answers the number of connections of all nodes.
func (p *proxy) connections(w http.ResponseWriter, r *http.Request) {
	total := 0
	for _, text := range p.askAll(r) {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		total += n
	}
	fmt.Fprint(w, total)
}

// stats answers one line of name=number, each the sum over all nodes.
func (p *proxy) stats(w http.ResponseWriter, r *http.Request) {
	var names []string
	sums := make(map[string]int)
	for _, text := range p.askAll(r) {
		for field := range strings.FieldsSeq(text) {
			name, number, _ := strings.Cut(field, "=")
			n, err := strconv.Atoi(number)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			if _, known := sums[name]; !known {
				names = append(names, name)
			}
			sums[name] += n
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("%s=%d", name, sums[name])
	}
	fmt.Fprintln(w, strings.Join(names, " "))
}

// askAll sends a request to every node that is not left out, and returns their answers. Those that fail are missing:
// what does not answer has nothing to tell.
func (p *proxy) askAll(r *http.Request) []string {
	var all []string
	for _, b := range p.backends {
		up := b.state()
		if up.Err() != nil {
			continue
		}
		out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+b.node.Host+r.URL.RequestURI(), nil)
		if err != nil {
			continue
		}
		resp, err := p.to.RoundTrip(out)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			all = append(all, string(text))
		}
	}
	return all
}
