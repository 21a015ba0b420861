//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// An npmPackage is a folder with a package-lock.json: the browser code, or end-to-end tests.
type npmPackage struct {
	dir     string
	scripts map[string]string
}

// findNPMPackages finds all of them below root. The end-to-end tests come last: when something small is broken, its
// own test should say so first.
func findNPMPackages(root string) ([]npmPackage, error) {
	var first, rest []npmPackage
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != root):
			return fs.SkipDir
		case entry.Name() != "package-lock.json":
			return nil
		}
		p, err := readNPMPackage(filepath.Dir(path))
		if err != nil {
			return err
		}
		if strings.HasPrefix(p.dir, "e2e"+string(filepath.Separator)) {
			rest = append(rest, p)
		} else {
			first = append(first, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("finding the npm packages: %w", err)
	}
	return append(first, rest...), nil
}

func readNPMPackage(dir string) (npmPackage, error) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return npmPackage{}, err
	}
	var manifest struct{ Scripts map[string]string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		return npmPackage{}, fmt.Errorf("%s/package.json: %w", dir, err)
	}
	return npmPackage{dir: dir, scripts: manifest.Scripts}, nil
}

// parts installs the package as its lock file says, and runs what it has of the scripts typecheck and test.
func (p npmPackage) parts() []part {
	parts := []part{{p.dir + " npm ci", check("make", "--no-print-directory", p.dir+"/node_modules/.package-lock.json")}}
	if p.scripts["typecheck"] != "" {
		parts = append(parts, part{p.dir + " typecheck", check("npm", "--prefix", p.dir, "run", "--silent", "typecheck")})
	}
	if p.scripts["test"] != "" {
		parts = append(parts, part{p.dir + " test", p.runTests})
	}
	return parts
}

func (p npmPackage) runTests(ctx context.Context) tally {
	cmd := command(ctx, "npm", "run", "--silent", "test")
	cmd.Dir = p.dir
	cmd.Env = append(cmd.Env, "RACE=1") // servers that tests build have the race detector, as all of our own tests
	result, err := read(cmd, func(r io.Reader) tally { return readNodeTest(r, os.Stdout) })
	switch {
	case result.failed > 0:
		result.failures = append(result.failures, fmt.Sprintf("%s: %d tests, see above", p.dir, result.failed))
	case err != nil:
		result.add(failure("%s: npm test: %v", p.dir, reason(ctx, err)))
	case !result.ran():
		result.add(failure("%s: npm test ran no test", p.dir))
	}
	return result
}

// nodeClosingLine is how Node's test runner ends, in its reports "tap" and "spec".
var nodeClosingLine = regexp.MustCompile(`^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$`)

// readNodeTest copies the output of Node's test runner and adds up its closing lines.
func readNodeTest(r io.Reader, w io.Writer) tally {
	var total tally
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		io.WriteString(w, line)
		if match := nodeClosingLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); match != nil {
			n, _ := strconv.Atoi(match[2]) // digits only
			switch match[1] {
			case "pass":
				total.passed += n
			case "fail", "cancelled":
				total.failed += n
			default:
				total.skipped += n
			}
		}
		if err != nil {
			return total
		}
	}
}
