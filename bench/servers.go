package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"signalbox/bench/load"
	"signalbox/bench/report"
)

// referenceVariable names the command that starts the real ASP.NET Core server, words separated by blanks.
const referenceVariable = "SIGNALR_REFERENCE"

// ours is the key of this library's server.
const ours = "signalbox"

// peer is a server that can be measured.
type peer struct {
	report.Server
	dir     string   // of its program below servers/, "" for the one that the environment names
	module  string   // whose version the program's build tells; "" means the Go version says enough
	args    []string // besides --urls
	path    string   // of its hub
	dialect string   // "" means the protocol of the case: it speaks SignalR
	// can says whether it takes part in a case.
	can func(c scenario) bool

	command []string
}

// peers are all servers; the first one is ours.
func peers() []*peer {
	webSockets := func(c scenario) bool {
		plain := !c.tls && !c.target.Negotiate && c.target.User == ""
		return plain && c.target.Transport == load.WebSockets && c.target.Dialect == "json"
	}
	return []*peer{
		{
			Server: report.Server{Key: ours, Name: "Signalbox", About: "this library, default options"},
			dir:    "servers/signalbox", path: "/hub",
			can: func(scenario) bool { return true },
		},
		{
			Server: report.Server{
				Key: "signalbox-poller", Name: "Signalbox, poller",
				About: "this library with `Poller` and `TrimMemory`: one goroutine waits for all sockets",
			},
			dir: "servers/signalbox", path: "/hub", args: []string{"--poller"},
			can: func(c scenario) bool { return c.target.Transport == load.WebSockets && !c.tls },
		},
		{
			Server: report.Server{Key: "aspnetcore", Name: "ASP.NET Core", About: "the original, workstation garbage collector"},
			path:   "/hub",
			can:    func(c scenario) bool { return c.target.Dialect == "json" },
		},
		{
			Server: report.Server{
				Key: "philippseith", Name: "philippseith/signalr", About: "another SignalR server in Go, default options",
			},
			dir: "servers/philippseith", module: "github.com/philippseith/signalr", path: "/hub",
			can: func(c scenario) bool {
				return c.target.Transport == load.WebSockets && !c.tls && c.target.User == ""
			},
		},
		{
			Server: report.Server{Key: "centrifuge", Name: "centrifuge", About: "the library of Centrifugo, JSON, default options"},
			dir:    "servers/centrifuge", module: "github.com/centrifugal/centrifuge",
			path: "/connection/websocket", dialect: "centrifuge",
			can: webSockets,
		},
		{
			Server: report.Server{
				Key: "centrifuge-tuned", Name: "centrifuge, tuned",
				About: "the same with pooled write buffers, small read buffers, and commands handled off the read loop",
			},
			dir: "servers/centrifuge", module: "github.com/centrifugal/centrifuge",
			path: "/connection/websocket", dialect: "centrifuge",
			args: []string{"--tuned"},
			can:  webSockets,
		},
		{
			Server: report.Server{Key: "socketio", Name: "zishang520/socket.io", About: "Socket.IO in Go, default options"},
			dir:    "servers/socketio", module: "github.com/zishang520/socket.io", dialect: "socketio",
			path: "/socket.io/?EIO=4&transport=websocket",
			can:  webSockets,
		},
		{
			Server: report.Server{
				Key: "tcp", Name: "bare TCP", About: "the floor: a goroutine for each connection sends back what comes",
			},
			dir: "servers/tcpecho", dialect: "tcp",
			can: func(c scenario) bool {
				echo := c.section == "echo" && c.target.Transport == load.WebSockets
				storm := c.section == "storm" && !c.target.Negotiate
				return echo || storm || c.section == "idle" && webSockets(c) && !c.target.Browser
			},
		},
		recordedPeer(),
	}
}

// prepare builds the server, or says why it cannot take part.
func (p *peer) prepare(ctx context.Context, root, out string) error {
	if p.Key == recordedKey {
		return nil // there is nothing to start
	}
	if p.dir == "" {
		if p.command = strings.Fields(os.Getenv(referenceVariable)); len(p.command) == 0 {
			return errors.New(referenceVariable + " does not name the command that starts it")
		}
		return nil
	}
	binary := filepath.Join(out, p.Key)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, ".")
	build.Dir = filepath.Join(root, filepath.FromSlash(p.dir))
	build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("it does not build: %w: %.300s", err, text)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("reading its build information: %w", err)
	}
	p.Version = info.GoVersion
	for _, dep := range info.Deps {
		if p.module != "" && (dep.Path == p.module || strings.HasPrefix(dep.Path, p.module+"/")) {
			p.Version = dep.Version + ", " + info.GoVersion
			break
		}
	}
	p.command = append([]string{binary}, p.args...)
	return nil
}

// targetOf returns what the generator drives in a case.
func (p *peer) targetOf(c scenario, host *process) load.Target {
	t := c.target
	t.URL, t.PID = host.url+p.path, host.pid()
	if p.dialect != "" {
		t.Dialect = p.dialect
	}
	if p.dialect == "tcp" {
		t.Transport = load.TCP
	}
	return t
}
