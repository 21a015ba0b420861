package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"signalbox/bench/load"
	"signalbox/bench/report"
	"signalbox/signalr/redisbackplane/redistest"
)

// redisTimes is how often each message is sent. It keeps the numbers of commands to other servers, which count up, below
// 128, where they take a byte as in the recording.
const redisTimes = 50

// longText has 300 bytes.
var longText = strings.Repeat("x", 300)

// redisCase is a message between two servers, of which the first one sends.
type redisCase struct {
	name string
	// jsonAlone leaves MessagePack away, and the user.
	jsonAlone bool
	// setUp comes before the first message, and undo after each; neither is counted. Both may be nil.
	setUp, undo func(f *farm) error
	send        func(f *farm) error
	// receivers are the clients that get each message.
	receivers func(f *farm) []*load.Member
	// asked is how many clients get something else.
	asked int
	// recorded is where it was recorded with ASP.NET Core's servers; the zero value: it was not.
	recorded conversationPart
}

// redisCases are the lines of the section. Texts, groups and users are those of the recording.
func redisCases() []redisCase {
	invoke := func(target string, args ...string) func(f *farm) error {
		return func(f *farm) error { return f.invoke(target, args...) }
	}
	everybody := func(f *farm) []*load.Member { return f.members() }
	nobody := func(*farm) []*load.Member { return nil }
	join := func(group string, names ...string) func(f *farm) error {
		return func(f *farm) error {
			for _, name := range names {
				if err := f.invoke("AddToGroup", f.ids[name], group); err != nil {
					return err
				}
			}
			return nil
		}
	}
	only := func(names ...string) func(f *farm) []*load.Member {
		return func(f *farm) []*load.Member { return f.members(names...) }
	}
	leave := func(f *farm) error { return f.invoke("RemoveFromGroup", f.ids["b1"], "g2") }
	return []redisCase{ // a1 sends
		{
			name: "to all, 5 bytes of text", send: invoke("Broadcast", "hello"), receivers: everybody,
			recorded: conversationPart{"all", ""},
		},
		{
			name: "to all, 5 bytes of text, JSON alone", send: invoke("Broadcast", "hello"), receivers: everybody,
			jsonAlone: true, recorded: conversationPart{"jsononly-all", ""},
		},
		{
			name: "to all, 300 bytes of text", send: invoke("Broadcast", longText), receivers: everybody,
			recorded: conversationPart{"all-long", ""},
		},
		{
			name: "to a connection of the other server", receivers: only("b1"),
			send:     func(f *farm) error { return f.invoke("SendTo", f.ids["b1"], "x") },
			recorded: conversationPart{"client-remote", ""},
		},
		{
			name: "to a connection of the sender's server", receivers: only("a1"),
			send:     func(f *farm) error { return f.invoke("SendTo", f.ids["a1"], "x") },
			recorded: conversationPart{"client-local", ""},
		},
		{
			name: "to a group with members on both servers", setUp: join("g1", "a1", "a2", "b1"),
			send: invoke("SendToGroup", "g1", "x"), receivers: only("a1", "a2", "b1"),
			recorded: conversationPart{"group", ""},
		},
		{
			name: "to a group with a member on the other server alone", setUp: join("g2", "b1"),
			send: invoke("SendToGroup", "g2", "x"), receivers: only("b1"),
			recorded: conversationPart{"group-add-remote-again", "IHubContext send how=group a=g2 m=x"},
		},
		{
			name: "to a group with no member on the other server", setUp: join("g2", "a1"),
			send: invoke("SendToGroup", "g2", "x"), receivers: only("a1"),
		},
		{
			name: "to a group without members", send: invoke("SendToGroup", "nogroup", "x"), receivers: nobody,
			recorded: conversationPart{"group-empty", ""},
		},
		{
			name: "to a user on both servers", send: invoke("SendToUser", "bob", "x"), receivers: only("a2", "b2"),
			recorded: conversationPart{"user", ""},
		},
		{
			name: "a connection of the other server joins a group", send: join("g2", "b1"), undo: leave, receivers: nobody,
			recorded: conversationPart{"group-add-remote", ""},
		},
		{
			name: "a connection of the other server leaves a group", setUp: join("g2", "b1"), send: leave, undo: join("g2", "b1"), receivers: nobody,
			recorded: conversationPart{"group-remove-remote", ""},
		},
		{
			name: "a client of the other server is asked for a result", send: (*farm).ask, receivers: nobody, asked: 1,
			recorded: conversationPart{"result-string-json", ""},
		},
	}
}

// redisSection is the part of the report.
func redisSection() report.Section {
	return report.Section{
		Key: "redis", Title: "Redis",
		About: fmt.Sprintf("What one message between the servers of a farm costs Redis, as Redis itself counts it (`INFO`): "+
			"the mean of %d. Each line has a farm of its own, with two servers and two clients on each, of which one is "+
			"the same user on both; with JSON alone there is one on each. A client calls a method of its server, the sender's; that goes past Redis. Below "+
			"stands what two servers of ASP.NET Core 10 sent in the same conversation, as recorded with `MONITOR` in "+
			"`%s`, if it was: the recorded commands, and the bytes that they, their replies, and what Redis "+
			"passes on to subscribers have in its protocol. Texts and names are as long in both. A group's message goes to "+
			"the servers that have a member, and to no other. Bytes per client are those to Redis and from it, divided by "+
			"the clients that get the message. Idle connections are not tried meanwhile. "+
			"[Several servers](scale-out.md#cost) says why joining and leaving takes more commands.",
			redisTimes, recordingPath),
		Metrics: []report.Metric{
			{Key: "commands", Name: "commands", Digits: 1},
			{Key: "to", Name: "bytes to Redis"}, {Key: "from", Name: "bytes from Redis"},
			{Key: "sender", Name: "messages to sender's server", Digits: 1},
			{Key: "other", Name: "messages to other server", Digits: 1},
			{Key: "clients", Name: "clients"}, {Key: "each", Name: "bytes per client"},
		},
	}
}

// recordedPeer is what ours is compared with.
func recordedPeer() *peer {
	return &peer{
		Server: report.Server{
			Key: recordedKey, Name: "ASP.NET Core, recorded", Version: "10.0",
			About: "what its servers sent in conversations that were recorded with StackExchange.Redis 2.7.27",
		},
		can: func(c scenario) bool { return c.redis != nil && c.redis.recorded != conversationPart{} },
	}
}

// redisScenarios are the lines of the report.
func redisScenarios() []scenario {
	var all []scenario
	for _, c := range redisCases() {
		all = append(all, scenario{section: "redis", name: c.name, redis: &c})
	}
	return all
}

// redisValues are the metrics of a sample.
func redisValues(u load.RedisUse) map[string]float64 {
	mean := func(n int64) float64 { return float64(n) / float64(max(u.Messages, 1)) }
	commands := 0
	for _, n := range u.Commands {
		commands += n
	}
	values := map[string]float64{
		"commands": mean(int64(commands)), "to": mean(u.To), "from": mean(u.From),
		"sender": mean(int64(u.Sender)), "other": mean(int64(u.Other)), "clients": mean(int64(u.Deliveries)),
	}
	if u.Deliveries > 0 {
		values["each"] = float64(u.To+u.From) / float64(u.Deliveries)
	}
	return values
}

// redisNote names the commands of a sample.
func redisNote(u load.RedisUse) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(u.Commands)) {
		words := strings.ToUpper(strings.ReplaceAll(name, "|", " "))
		if n := float64(u.Commands[name]) / float64(max(u.Messages, 1)); n != 1 {
			words += " " + strconv.FormatFloat(n, 'g', 3, 64)
		}
		parts = append(parts, words)
	}
	return strings.Join(parts, ", ")
}

// sampleRedis measures a case, or looks it up when it was recorded.
func (s *suite) sampleRedis(ctx context.Context, c *redisCase, p *peer) (_ load.Sample, note string, err error) {
	var use load.RedisUse
	if p.Key == recordedKey {
		machine, err := os.Hostname()
		if err != nil {
			return load.Sample{}, "", err
		}
		r, err := readRecording(s.root, machine)
		if err != nil {
			return load.Sample{}, "", err
		}
		if use, err = r.use(c.recorded); err != nil {
			return load.Sample{}, "", err
		}
		return load.Sample{Redis: use}, redisNote(use), nil
	}
	if use, err = s.measureRedis(ctx, c); err != nil {
		return load.Sample{}, "", err
	}
	return load.Sample{Redis: use}, redisNote(use), nil
}

func (s *suite) measureRedis(ctx context.Context, c *redisCase) (use load.RedisUse, err error) {
	f, err := s.startFarm(ctx, c.jsonAlone)
	defer func() { err = errors.Join(err, f.stop()) }()
	if err != nil {
		return use, err
	}
	if c.setUp != nil {
		if err := c.setUp(f); err != nil {
			return use, err
		}
	}
	for range redisTimes {
		if err := f.count(ctx, c, &use); err != nil {
			return use, err
		}
		if c.undo != nil {
			if err := c.undo(f); err != nil {
				return use, err
			}
		}
	}
	return use, nil
}

// farm is two servers on one Redis, and their clients: a1 and a2 of the first one, b1 and b2 of the other.
type farm struct {
	redis   *redistest.Server
	servers []*process
	names   []string // of the clients
	clients map[string]*load.Member
	ids     map[string]string
	meter   *redisMeter
}

// startFarm starts a farm. What it returns is to be stopped also when it fails.
func (s *suite) startFarm(ctx context.Context, jsonAlone bool) (*farm, error) {
	f := &farm{clients: make(map[string]*load.Member), ids: make(map[string]string)}
	if s.node == nil {
		node := &peer{dir: "servers/redisnode", Server: report.Server{Key: "redisnode"}}
		if err := node.prepare(ctx, s.root, s.dir); err != nil {
			return f, err
		}
		s.node = node
	}
	dir, err := os.MkdirTemp(s.dir, "redis-")
	if err != nil {
		return f, fmt.Errorf("a folder for Redis: %w", err)
	}
	if f.redis, err = redistest.New(dir); err != nil {
		return f, err
	}
	if err := f.redis.Start(ctx); err != nil {
		return f, err
	}
	command := append(slices.Clone(s.node.command), "--redis", f.redis.Addr, "--hub", recordedHub)
	if jsonAlone {
		command = append(command, "--json")
	}
	for range 2 {
		p, err := start(ctx, command, nil, "http")
		if err != nil {
			return f, err
		}
		f.servers = append(f.servers, p)
	}
	users := map[string]string{"a2": "bob", "b2": "bob"}
	f.names = []string{"a1", "a2", "b1", "b2"}
	if jsonAlone {
		f.names = []string{"a1", "b1"}
	}
	for _, name := range f.names {
		if err := f.join(ctx, name, users[name]); err != nil {
			return f, err
		}
	}
	f.meter, err = newRedisMeter(ctx, f.redis.Addr)
	return f, err
}

// join connects a client to the server that its name says.
func (f *farm) join(ctx context.Context, name, user string) error {
	server := f.servers[0]
	if name[0] == 'b' {
		server = f.servers[1]
	}
	m, err := load.Join(ctx, load.Target{URL: server.url + "/hub", User: user})
	if err != nil {
		return err
	}
	f.clients[name] = m
	id, err := m.Invoke("Me")
	if err != nil {
		return err
	}
	f.ids[name], err = strconv.Unquote(string(id))
	return err
}

func (f *farm) stop() error {
	if f.meter != nil {
		f.meter.close()
	}
	for _, m := range f.clients {
		m.Close()
	}
	var errs []error
	for _, p := range f.servers {
		errs = append(errs, p.stop())
	}
	if f.redis != nil {
		f.redis.Stop()
	}
	return errors.Join(errs...)
}

// members are the clients with these names; without names all of them.
func (f *farm) members(names ...string) []*load.Member {
	if len(names) == 0 {
		names = f.names
	}
	var all []*load.Member
	for _, name := range names {
		all = append(all, f.clients[name])
	}
	return all
}

// invoke calls a method of the sender's server.
func (f *farm) invoke(target string, args ...string) error {
	_, err := f.clients["a1"].Invoke(target, args...)
	return err
}

// ask has b2 asked for a result, which it gives as in the recording.
func (f *farm) ask() error {
	if err := f.clients["a1"].Call("Ask", f.ids["b2"], "q"); err != nil {
		return err
	}
	if err := f.clients["b2"].Answer("AskText", `"\u00e9<x>"`); err != nil {
		return err
	}
	_, err := f.clients["a1"].Result()
	return err
}

// count sends one message and adds what it costs.
func (f *farm) count(ctx context.Context, c *redisCase, use *load.RedisUse) error {
	var before, after [2]int
	for i, p := range f.servers {
		var err error
		if before[i], err = received(ctx, p); err != nil {
			return err
		}
	}
	receivers := c.receivers(f)
	err := f.meter.count(use, func() error {
		if err := c.send(f); err != nil {
			return err
		}
		for _, m := range receivers {
			if err := m.Receive(1, "Receive"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, p := range f.servers {
		if after[i], err = received(ctx, p); err != nil {
			return err
		}
	}
	use.Messages++
	use.Deliveries += len(receivers) + c.asked
	use.Sender += after[0] - before[0]
	use.Other += after[1] - before[1]
	return nil
}

// received is how many messages Redis has brought to a server.
func received(ctx context.Context, p *process) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/redis", nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Base(req.URL.Path), err)
	}
	return n, nil
}
