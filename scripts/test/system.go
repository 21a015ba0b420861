//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A requirement is a program that tests start and that no language's package manager brings.
type requirement struct {
	programs []string // any of these will do
	packages []string // the Debian packages that bring one
	purpose  string
}

var requirements = [...]requirement{
	{[]string{"gcc", "clang"}, []string{"gcc", "libc6-dev"}, "the race detector"},
	{[]string{"node"}, []string{"nodejs", "npm"}, "the official JavaScript client"},
	{[]string{"chromium", "chromium-browser", "google-chrome"}, []string{"chromium"}, "the browser tests"},
	{[]string{"redis-server", "valkey-server"}, []string{"redis-server"}, "the backplane tests"},
	// Debian keeps initdb and postgres out of the path; this comes with them.
	{[]string{"initdb", "pg_ctlcluster"}, []string{"postgresql"}, "the tests of the PostgreSQL store"},
}

// installSystemPackages installs what is missing, where that is allowed; elsewhere it says what to install. Tests that
// miss something fail for themselves, so that the others can run.
func installSystemPackages(ctx context.Context) tally {
	var packages []string
	for _, r := range requirements {
		if slices.ContainsFunc(r.programs, found) {
			continue
		}
		fmt.Printf("%s is missing, which is needed for %s\n", strings.Join(r.programs, " or "), r.purpose)
		packages = append(packages, r.packages...)
	}
	if len(packages) == 0 {
		return tally{}
	}
	apt, err := aptGet()
	if err != nil {
		fmt.Printf("Please install it (Debian: apt-get install %s): %v\n", strings.Join(packages, " "), err)
		return tally{}
	}
	update := append(slices.Clone(apt), "-q", "update")
	install := append(append(slices.Clone(apt), "-q", "-y", "--no-install-recommends", "install"), packages...)
	for _, args := range [][]string{update, install} {
		cmd := command(ctx, args[0], args[1:]...)
		cmd.Env = append(cmd.Env, "DEBIAN_FRONTEND=noninteractive")
		fmt.Println("+", strings.Join(args, " "))
		if err := cmd.Run(); err != nil {
			fmt.Printf("Could not install %s: %v\n", strings.Join(packages, " "), reason(ctx, err))
			return tally{}
		}
	}
	return tally{}
}

// aptGet is the command line that may install packages without asking anybody: as root, or on a CI machine through
// sudo. A developer's own machine is not changed behind their back.
func aptGet() ([]string, error) {
	switch {
	case !found("apt-get"):
		return nil, fmt.Errorf("there is no apt-get")
	case os.Geteuid() == 0:
		return []string{"apt-get"}, nil
	case os.Getenv("CI") != "" && found("sudo"):
		return []string{"sudo", "-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"}, nil
	default:
		return nil, fmt.Errorf("only root may")
	}
}

func found(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
