package farm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// ErrNoRedis says that there is no redis-server to start.
var ErrNoRedis = errors.New("there is no redis-server here; apt-get install redis-server")

// Redis is a Redis server that keeps nothing on disk.
type Redis struct {
	// Addr is where it listens, host:port.
	Addr string

	dir     string
	process *process
}

// FindRedis returns the program, or ErrNoRedis.
func FindRedis() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", ErrNoRedis
	}
	return path, nil
}

func startRedis(ctx context.Context, dir string) (*Redis, error) {
	var err error
	for range portAttempts {
		r := &Redis{dir: dir}
		if r.Addr, err = freeAddress(); err != nil {
			return nil, err
		}
		if err = r.Start(ctx); err == nil {
			return r, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrNoRedis) {
			break
		}
	}
	return nil, err
}

// Start starts the server, empty, at the address that it had before, and waits until it accepts connections.
func (r *Redis) Start(ctx context.Context) error {
	path, err := FindRedis()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(r.Addr)
	if err != nil {
		return err
	}
	ready := make(chan string, 1)
	var log bytes.Buffer // what it says is of interest if it does not start
	stdout := (&lines{to: &log}).of(func(line string) {
		if strings.Contains(line, "eady to accept connections") {
			select {
			case ready <- line:
			default: // it says so again
			}
		}
	})
	program := []string{path, "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "", "--appendonly", "no",
		"--loglevel", "notice", "--client-output-buffer-limit", "pubsub 0 0 0"}
	p, err := startProcess(program, os.Environ(), stdout, stdout)
	if err != nil {
		return fmt.Errorf("starting Redis: %w", err)
	}
	if _, err := p.await(ctx, ready); err != nil {
		<-p.done
		return fmt.Errorf("starting Redis: %w\n%s", err, &log)
	}
	r.process = p
	return nil
}

// Stop ends the server at once. What was in it is lost.
func (r *Redis) Stop() { r.process.kill() }

// Channels returns the names of the channels that somebody has subscribed to, sorted.
func (r *Redis) Channels(ctx context.Context) ([]string, error) {
	c, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{r.Addr}, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		return nil, fmt.Errorf("asking Redis for its channels: %w", err)
	}
	defer c.Close()
	names, err := c.Do(ctx, c.B().PubsubChannels().Build()).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("asking Redis for its channels: %w", err)
	}
	slices.Sort(names)
	return names, nil
}
