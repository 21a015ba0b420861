//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadGoTest(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  tally
		shown string // must be in the report
	}{
		"cases without subtests": {
			lines: []string{
				`{"Action":"start","Package":"p"}`,
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestB"}`,
				`{"Action":"skip","Package":"p","Test":"TestB"}`,
				`{"Action":"pass","Package":"p","Elapsed":1.25}`,
			},
			want:  tally{passed: 1, skipped: 1},
			shown: "ok    p  1 passed, 0 failed, 1 skipped in 1.2s\n",
		},
		"subtests count for their parent": {
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/one"}`,
				`{"Action":"run","Package":"p","Test":"TestA/two/with/slashes"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/one"}`,
				`{"Action":"output","Package":"p","Test":"TestA/two/with/slashes","Output":"wanted 1, got 2\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA/two/with/slashes"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want:  tally{passed: 1, failed: 1, failures: []string{"p TestA/two/with/slashes"}},
			shown: "wanted 1, got 2\n",
		},
		"a parent that fails by itself": {
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/one"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/one"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"left something behind\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want:  tally{passed: 1, failed: 1, failures: []string{"p TestA"}},
			shown: "left something behind\n",
		},
		"a package that does not build": {
			lines: []string{
				`{"ImportPath":"p [p.test]","Action":"build-output","Output":"p.go:1: syntax error\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			},
			want:  tally{failed: 1, failures: []string{"p"}},
			shown: "p.go:1: syntax error\n",
		},
		"a package that dies in a test": {
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestB"}`,
				`{"Action":"output","Package":"p","Test":"TestB","Output":"os.Exit was called\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want:  tally{passed: 1, failed: 1, failures: []string{"p"}},
			shown: "os.Exit was called\n",
		},
		"a package without tests": {
			lines: []string{
				`{"Action":"output","Package":"p","Output":"?   \tp\t[no test files]\n"}`,
				`{"Action":"skip","Package":"p"}`,
			},
			want: tally{},
		},
		"words of go itself": {
			lines: []string{`go: no such workspace`},
			want:  tally{},
			shown: "go: no such workspace\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var report strings.Builder
			got := readGoTest(strings.NewReader(strings.Join(test.lines, "\n")+"\n"), &report)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(tally{})); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
			if !strings.Contains(report.String(), test.shown) {
				t.Errorf("report has no %q:\n%s", test.shown, report.String())
			}
		})
	}
}

func TestReadNodeTest(t *testing.T) {
	tests := map[string]struct {
		output string
		want   tally
	}{
		"tap": {
			"ok 1 - a\n1..1\n# tests 9\n# suites 1\n# pass 3\n# fail 2\n# cancelled 1\n# skipped 2\n# todo 1\n# duration_ms 9.1\n",
			tally{passed: 3, failed: 3, skipped: 3},
		},
		"spec": {
			"✔ a (1ms)\nℹ tests 2\nℹ suites 0\nℹ pass 2\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ todo 0\nℹ duration_ms 9.1\n",
			tally{passed: 2},
		},
		"two runs in one script": {"ℹ pass 2\nℹ fail 0\nℹ pass 3\nℹ fail 1\n", tally{passed: 5, failed: 1}},
		"no closing lines":       {"sh: node: not found\n", tally{}},
		"no end of line":         {"# pass 4", tally{passed: 4}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var report strings.Builder
			got := readNodeTest(strings.NewReader(test.output), &report)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(tally{})); diff != "" {
				t.Errorf("tally (-want +got):\n%s", diff)
			}
			if report.String() != test.output {
				t.Errorf("the output was shown as %q", report.String())
			}
		})
	}
}

func TestTally(t *testing.T) {
	tests := map[string]struct {
		tally tally
		ok    bool
		text  string
	}{
		"nothing ran":          {tally{}, false, "0 passed, 0 failed"},
		"only skipped":         {tally{skipped: 2}, false, "0 passed, 0 failed, 2 skipped"},
		"passed":               {tally{passed: 3}, true, "3 passed, 0 failed"},
		"passed, some skipped": {tally{passed: 3, skipped: 1}, true, "3 passed, 0 failed, 1 skipped"},
		"failed":               {tally{passed: 3, failed: 1}, false, "3 passed, 1 failed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.tally.ok(); got != test.ok {
				t.Errorf("ok() = %v", got)
			}
			if got := test.tally.String(); got != test.text {
				t.Errorf("String() = %q, want %q", got, test.text)
			}
		})
	}
}

func TestFindNPMPackages(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"e2e/node", "web/browser", "web/browser/node_modules/dependency", ".hidden"} {
		write(t, filepath.Join(root, dir, "package.json"), `{"scripts":{"test":"node --test"}}`)
		write(t, filepath.Join(root, dir, "package-lock.json"), `{}`)
	}
	t.Chdir(root)

	packages, err := findNPMPackages(".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		for _, part := range p.parts() {
			names = append(names, part.name)
		}
	}
	want := []string{"web/browser npm ci", "web/browser test", "e2e/node npm ci", "e2e/node test"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
