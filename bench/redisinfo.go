package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"signalbox/bench/load"
)

// infoCommand asks Redis for all that it counts.
const infoCommand = "*2\r\n$4\r\nINFO\r\n$3\r\nall\r\n"

// infoTimeout bounds one question.
const infoTimeout = 10 * time.Second

// redisMeter reads Redis's counters over a connection of its own, which it leaves out of what it reads.
type redisMeter struct {
	conn  net.Conn
	r     *bufio.Reader
	reply int64 // bytes of the last one
}

// redisCounters are Redis's counters at a moment.
type redisCounters struct {
	commands map[string]int
	to, from int64
}

func newRedisMeter(ctx context.Context, addr string) (*redisMeter, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("asking Redis: %w", err)
	}
	return &redisMeter{conn: conn, r: bufio.NewReader(conn)}, nil
}

func (m *redisMeter) close() { _ = m.conn.Close() }

// read reads the counters. Redis has counted the question when it answers, and the answer only afterwards.
func (m *redisMeter) read() (redisCounters, error) {
	text, err := m.ask()
	if err != nil {
		return redisCounters{}, fmt.Errorf("asking Redis: %w", err)
	}
	c, err := parseInfo(text)
	if err != nil {
		return redisCounters{}, fmt.Errorf("reading what Redis counts: %w", err)
	}
	return c, nil
}

func (m *redisMeter) ask() (string, error) {
	if err := m.conn.SetDeadline(time.Now().Add(infoTimeout)); err != nil {
		return "", err
	}
	if _, err := m.conn.Write([]byte(infoCommand)); err != nil {
		return "", err
	}
	head, err := m.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	size, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(head, "$"), "\r\n"))
	if err != nil || size < 0 {
		return "", fmt.Errorf("it says %q", head)
	}
	body := make([]byte, size+len("\r\n"))
	if _, err := io.ReadFull(m.r, body); err != nil {
		return "", err
	}
	m.reply = int64(len(head) + len(body))
	return string(body), nil
}

// count adds to a use what Redis does while do runs.
func (m *redisMeter) count(use *load.RedisUse, do func() error) error {
	before, err := m.read()
	if err != nil {
		return err
	}
	answer := m.reply
	if err := do(); err != nil {
		return err
	}
	after, err := m.read()
	if err != nil {
		return err
	}
	if use.Commands == nil {
		use.Commands = make(map[string]int)
	}
	for name, n := range after.commands {
		if n -= before.commands[name]; n > 0 && name != "info" {
			use.Commands[name] += n
		}
	}
	use.To += after.to - before.to - int64(len(infoCommand))
	use.From += after.from - before.from - answer
	return nil
}

// parseInfo reads the answer to INFO: total_net_input_bytes, total_net_output_bytes, and the calls of each command.
func parseInfo(text string) (redisCounters, error) {
	c := redisCounters{commands: make(map[string]int)}
	bytes := map[string]*int64{"total_net_input_bytes": &c.to, "total_net_output_bytes": &c.from}
	missing := maps.Clone(bytes)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if p := bytes[key]; p != nil {
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return c, fmt.Errorf("%s: %w", key, err)
			}
			*p = n
			delete(missing, key)
		}
		if name, ok := strings.CutPrefix(key, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			n, err := strconv.Atoi(calls)
			if err != nil {
				return c, fmt.Errorf("%s: %w", key, err)
			}
			c.commands[name] = n
		}
	}
	for key := range missing {
		return c, fmt.Errorf("it does not tell %s", key)
	}
	return c, nil
}
