// Command farmhost stands for one server, and is a farm: a Redis server, some nodes, and a balancer that sends every
// request to the next of them. What passes against refhost passes against it, too.
//
//	farmhost --urls http://127.0.0.1:5400 --nodes 3
//
// Options of the nodes are environment variables; see refhost. The line LISTENING and the address says that all of it is
// ready.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"signalbox/e2e/farm"
)

func main() {
	urls := flag.String("urls", "http://127.0.0.1:0", "address to listen on; port 0 takes a free one")
	nodes := flag.Int("nodes", 3, "how many nodes there are")
	program := flag.String("program", "", "command of a node; empty: refhost beside this program, built if missing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *urls, *nodes, strings.Fields(*program)); err != nil {
		fmt.Fprintln(os.Stderr, "farmhost:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, address string, nodes int, program []string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("--urls %q: want http://host:port", address)
	}
	if nodes < 1 {
		return errors.New("--nodes: there must be one at least")
	}
	if len(program) == 0 {
		host, err := refhost(ctx)
		if err != nil {
			return err
		}
		program = []string{host}
	}
	f, err := farm.Start(ctx, farm.Options{Program: program, Nodes: nodes, Listen: u.Host, Output: os.Stderr})
	if err != nil {
		return err
	}
	fmt.Printf("LISTENING %s\n", f.URL())
	<-ctx.Done()
	return f.Close()
}

// refhost returns the program beside this one, and builds it if there is none.
func refhost(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "refhost")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "signalbox/e2e/refhost")
	build.Env = append(os.Environ(), "CGO_ENABLED="+cmp.Or(os.Getenv("CGO_ENABLED"), "0"))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building refhost: %w\n%s", err, out)
	}
	return path, nil
}
