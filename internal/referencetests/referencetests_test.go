// Package referencetests checks docs/reference-tests.md, which maps ASP.NET Core's own tests to ours.
package referencetests

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root = "../.."
	// least is the share of the reference's tests that must be covered, in percent.
	least = 85
)

// TestMap checks that each name of the list is mapped once, and to something that exists.
func TestMap(t *testing.T) {
	listed := names(t)
	mapped := map[string]string{}
	for _, row := range rows(t) {
		key := row.section + " " + row.name
		if _, twice := mapped[key]; twice {
			t.Errorf("%s stands there twice", key)
		}
		if !slices.Contains(listed, key) {
			t.Errorf("%s is not on the list of the reference's tests", key)
		}
		mapped[key] = row.here
	}
	all := newTests(t)
	covered := 0
	for _, key := range listed {
		here, ok := mapped[key]
		if !ok {
			t.Errorf("%s is missing", key)
			continue
		}
		if reason, none := strings.CutPrefix(here, "none:"); none {
			if strings.TrimSpace(reason) == "" {
				t.Errorf("%s: no reason", key)
			}
			continue
		}
		for entry := range strings.SplitSeq(here, "; ") {
			if err := all.find(entry); err != nil {
				t.Errorf("%s: %s: %v", key, entry, err)
			}
		}
		covered++
	}
	share := 100 * float64(covered) / float64(len(listed))
	t.Logf("%d of %d of the reference's tests are covered: %.1f %%", covered, len(listed), share)
	if share < least {
		t.Errorf("%.1f %% are covered, fewer than %d %%", share, least)
	}
}

// names returns the list of the reference's tests, each as its file and its name. Names that stand twice for a file count
// once.
func names(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/names.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	section := ""
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section, _, _ = strings.Cut(heading, " ")
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- "); ok && !slices.Contains(all, section+" "+name) {
			all = append(all, section+" "+name)
		}
	}
	if len(all) < 500 {
		t.Fatalf("%d names: that cannot be all", len(all))
	}
	return all
}

type row struct{ section, name, here string }

// rows returns the rows of the map.
func rows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "reference-tests.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			section = heading
		}
		cells := strings.SplitN(strings.Trim(line, "| "), " | ", 2)
		if section != "" && strings.HasPrefix(line, "|") && len(cells) == 2 && cells[0] != "reference" {
			all = append(all, row{section, cells[0], cells[1]})
		}
	}
	return all
}

// tests knows the tests of the repository. It is used by one goroutine.
type tests struct {
	t *testing.T
	// packages holds what is known of a folder: its test functions, and the strings in its Go files.
	packages map[string]goPackage
	// excused are the scenarios that are not replayed, because we answer otherwise.
	excused []string
}

type goPackage struct{ functions, strings map[string]bool }

func newTests(t *testing.T) *tests {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "e2e", "wire", "known_differences_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := &tests{t: t, packages: map[string]goPackage{}}
	for _, match := range regexp.MustCompile(`(?m)^\t\t"([a-z0-9-]+)":`).FindAllStringSubmatch(string(text), -1) {
		all.excused = append(all.excused, match[1])
	}
	return all
}

// find returns an error if what an entry names does not exist.
func (a *tests) find(entry string) error {
	folder, rest, _ := strings.Cut(entry, " ")
	switch folder {
	case "wire":
		if slices.Contains(a.excused, rest) {
			return fmt.Errorf("the scenario is not replayed")
		}
		_, err := os.Stat(filepath.Join(root, "e2e", "wire", "testdata", "json", rest+".txt"))
		return err
	case "node":
		return findNode(rest)
	default:
		return a.findGo(folder, rest)
	}
}

// findNode looks for "FILE: title" among the tests of the official client.
func findNode(entry string) error {
	file, title, _ := strings.Cut(entry, ": ")
	text, err := os.ReadFile(filepath.Join(root, "e2e", "node", file+".test.mjs"))
	if err != nil {
		return err
	}
	for _, quote := range []string{"'", `"`, "`"} {
		if strings.Contains(string(text), "it("+quote+title+quote) {
			return nil
		}
	}
	return fmt.Errorf("no such title")
}

// findGo looks for a test function, and for the name of its row among the strings of its package or of the suites.
func (a *tests) findGo(folder, name string) error {
	function, subtest, hasRow := strings.Cut(name, "/")
	if !a.load(folder).functions[function] {
		return fmt.Errorf("no such test")
	}
	if !hasRow {
		return nil
	}
	for _, where := range []string{folder, "signalr/signalrtest", "signalr/protocol/protocoltest"} {
		if a.load(where).strings[subtest] {
			return nil
		}
	}
	return fmt.Errorf("no such row")
}

// load parses the Go files of a folder.
func (a *tests) load(folder string) goPackage {
	a.t.Helper()
	if p, ok := a.packages[folder]; ok {
		return p
	}
	p := goPackage{map[string]bool{}, map[string]bool{}}
	a.packages[folder] = p
	files, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			a.t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && strings.HasSuffix(file, "_test.go") {
					p.functions[n.Name.Name] = true
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
					p.strings[text] = true
				}
			}
			return true
		})
	}
	return p
}
