// Package layering holds the rules of who may import whom. It has no code but this test.
package layering

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	server  = "signalbox"
	library = "signalbox/signalr"
)

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Imports    []string // of the code that is shipped
	Deps       []string // with all that those import
	Error      *struct{ Err string }
}

// list returns the packages that patterns name, as they are built without tests.
func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e", "-json=ImportPath,Imports,Deps,Error"}, patterns...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading the answer of go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

// within says whether an import path is the package root or below it.
func within(importPath, root string) bool {
	return importPath == root || strings.HasPrefix(importPath, root+"/")
}

// ours says whether a package belongs to one of the two modules.
func ours(importPath string) bool { return within(importPath, server) }

// inServer says whether a package belongs to the server's module.
func inServer(importPath string) bool { return ours(importPath) && !within(importPath, library) }

// forTests says whether a package exists for tests alone: its name ends in test, as in net/http/httptest.
func forTests(importPath string) bool { return strings.HasSuffix(path.Base(importPath), "test") }

// mayKnowEverything says whether a package is one of those that put all others together, or a program beside them.
func mayKnowEverything(importPath string) bool {
	for _, root := range []string{"cmd", "e2e", "scripts", "bench"} {
		if within(importPath, server+"/"+root) {
			return true
		}
	}
	return false
}

// adapters know the domain and never each other.
var adapters = []string{"sqlstore", "live", "worker", "presence", "web"}

// adapterOf returns the adapter that a package belongs to, or "".
func adapterOf(importPath string) string {
	for _, a := range adapters {
		if within(importPath, server+"/"+a) {
			return a
		}
	}
	return ""
}

// A rule finds fault with a package that imports another, directly or by way of others. It returns the reason.
type rule struct {
	name   string
	direct bool // only what the package itself imports counts
	broken func(from, to string) string
}

var rules = []rule{
	{"protocol and transport are leaves", false, func(from, to string) string {
		switch {
		case within(from, library+"/transport") && ours(to) && !within(to, library+"/transport"):
			return "transport is a leaf: whoever wants only its words must not get the server with them"
		case within(from, library+"/protocol") && ours(to) && !within(to, library+"/protocol") && to != library+"/transport":
			return "protocol is a leaf above transport: clients, servers and backplanes share it"
		}
		return ""
	}},
	{"the library does not know the server", false, func(from, to string) string {
		if within(from, library) && inServer(to) {
			return "the library serves any program; the server is its customer"
		}
		return ""
	}},
	{"the two ends do not know each other", false, func(from, to string) string {
		switch {
		case from == library && within(to, library+"/client"):
			return "the server side never imports the client"
		case within(from, library+"/client") && to == library:
			return "the client never imports the server side: programs that only connect must stay small"
		}
		return ""
	}},
	{"the server uses the library as anybody could", true, func(from, to string) string {
		if inServer(from) && within(to, library) && slices.Contains(strings.Split(to, "/"), "internal") {
			return "the server is the library's first customer and uses its exported API alone: what it needs, others need"
		}
		return ""
	}},
	{"the domain imports nothing of ours", false, func(from, to string) string {
		if from == server && ours(to) {
			return "domain types must not depend on how they are stored, shown or sent"
		}
		return ""
	}},
	{"adapters do not know each other", false, func(from, to string) string {
		if a, b := adapterOf(from), adapterOf(to); a != "" && b != "" && a != b {
			return "an adapter knows the domain and no other adapter: cmd/signalbox puts them together"
		}
		return ""
	}},
	{"nobody imports those who know everything", false, func(from, to string) string {
		if ours(from) && !mayKnowEverything(from) && mayKnowEverything(to) {
			return "only cmd and e2e may know everything, and nobody knows them"
		}
		return ""
	}},
	{"shipped code has no test code", false, func(from, to string) string {
		if ours(from) && !forTests(from) && !within(from, server+"/e2e") && !within(from, server+"/scripts") && (to == "testing" || ours(to) && forTests(to)) {
			return "only packages for tests, whose names end in test, import " + to + ": it adds flags and weight to every program"
		}
		return ""
	}},
	{"who has one server has no Redis client", false, func(from, to string) string {
		redis := library + "/redisbackplane"
		if within(from, library) && !within(from, redis) && (within(to, redis) || strings.HasPrefix(to, "github.com/redis/")) {
			return "programs that do not scale out must not carry a Redis client"
		}
		return ""
	}},
}

// breaches returns a line for each import of p that breaks r.
func (r rule) breaches(p pkg) []string {
	imports := p.Deps
	if r.direct {
		imports = p.Imports
	}
	var lines []string
	for _, to := range imports {
		if reason := r.broken(p.ImportPath, to); reason != "" {
			lines = append(lines, p.ImportPath+" imports "+to+": "+reason)
		}
	}
	return lines
}

// TestImports checks every package of both modules.
func TestImports(t *testing.T) {
	pkgs := list(t, "./...", "./signalr/...")
	if len(pkgs) < 10 {
		t.Fatalf("go list found %d packages; the rules below mean nothing then", len(pkgs))
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, p := range pkgs {
				for _, line := range r.breaches(p) {
					t.Error(line)
				}
			}
		})
	}
}

// TestRules shows that each rule finds what it is for, and lets pass what is right.
func TestRules(t *testing.T) {
	for _, row := range []struct {
		from, to string
		rule     string // that is broken; "" for none
	}{
		{library + "/transport", library + "/protocol", rules[0].name},
		{library + "/protocol", library, rules[0].name},
		{library + "/protocol/jsonprotocol", library + "/internal/websocket", rules[0].name},
		{library + "/protocol/jsonprotocol", library + "/protocol", ""},
		{library + "/protocol", library + "/transport", ""},
		{library, server, rules[1].name},
		{library + "/redisbackplane", server + "/live", rules[1].name},
		{library, library + "/client", rules[2].name},
		{library + "/client", library, rules[2].name},
		{library + "/client", library + "/protocol", ""},
		{library + "/signalrtest", library + "/client", ""},
		{server + "/live", library + "/internal/httpconn", rules[3].name},
		{server + "/e2e/refhost", library + "/protocol/internal/dotnet", rules[3].name},
		{server + "/live", library + "/protocol/jsonprotocol", ""},
		{server, server + "/live", rules[4].name},
		{server, library, rules[4].name},
		{server + "/live", server + "/sqlstore", rules[5].name},
		{server + "/web", server + "/worker", rules[5].name},
		{server + "/sqlstore/storetest", server + "/sqlstore", ""},
		{server + "/live", server, ""},
		{server + "/cmd/signalbox", server + "/web", ""},
		{server + "/web", server + "/cmd/signalbox", rules[6].name},
		{server + "/web", "testing", rules[7].name},
		{library, library + "/protocol/protocoltest", rules[7].name},
		{library, library + "/redisbackplane", rules[8].name},
		{library + "/signalrtest", "github.com/redis/rueidis", rules[8].name},
		{library + "/redisbackplane", "github.com/redis/rueidis", ""},
		{server + "/cmd/signalbox", library + "/redisbackplane", ""},
		{server + "/web/webtest", "testing", ""},
		{server + "/web", "net/http", ""},
	} {
		var broken []string
		for _, r := range rules {
			if r.broken(row.from, row.to) != "" {
				broken = append(broken, r.name)
			}
		}
		if got := strings.Join(broken, ", "); got != row.rule {
			t.Errorf("%s imports %s: breaks %q, want %q", row.from, row.to, got, row.rule)
		}
	}
}
