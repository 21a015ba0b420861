// Package farm runs several servers as one: a Redis server of their own, some nodes, and a balancer in front of them that
// sends each request to the next node and knows nothing of connections. It is for tests, and for the program farmhost.
package farm

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options say what to run.
type Options struct {
	// Program starts a node: it understands --urls http://127.0.0.1:PORT, takes FARM_KEY, INTERNAL and REDIS from the
	// environment, and says LISTENING and its address when it is ready, as refhost does. Required.
	Program []string
	// Nodes is how many there are; 0 stands for 3.
	Nodes int
	// Env are more variables of the nodes, as KEY=VALUE. They have those of this process, too.
	Env []string
	// Listen is the balancer's host and port; empty stands for a free port of 127.0.0.1.
	Listen string
	// Output gets what the nodes print and how they end, line by line; nil drops it.
	Output io.Writer
}

// Farm is what runs. Its methods may be called by several goroutines, but those that stop or start the same part must
// not be called at the same time.
type Farm struct {
	redis *Redis
	nodes []*Node
	proxy *proxy
	web   *http.Server
	url   string
	out   *lines
	dir   string

	serving sync.WaitGroup
}

const (
	startLimit = time.Minute
	stopLimit  = 10 * time.Second
	// portAttempts is how often a process is started that needs a port which was free a moment ago.
	portAttempts = 5
)

// Start starts Redis, the nodes and the balancer, and returns when all of them are ready. Close ends them.
func Start(ctx context.Context, o Options) (_ *Farm, err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	f := &Farm{out: &lines{to: cmp.Or[io.Writer](o.Output, io.Discard)}}
	if f.dir, err = os.MkdirTemp("", "farm"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.kill()
		}
	}()
	if f.redis, err = startRedis(ctx, f.dir); err != nil {
		return nil, err
	}
	env := append(os.Environ(), o.Env...)
	env = append(env, "FARM_KEY="+rand.Text(), "REDIS="+f.redis.Addr)
	for i := range cmp.Or(o.Nodes, 3) {
		f.nodes = append(f.nodes, &Node{Name: fmt.Sprint(i + 1), program: o.Program, env: env, out: f.out})
	}
	started := make(chan error)
	for _, n := range f.nodes {
		go func() { started <- n.start(ctx) }()
	}
	for range f.nodes {
		err = errors.Join(err, <-started)
	}
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cmp.Or(o.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	f.url = "http://" + listener.Addr().String()
	f.proxy = newProxy(f.nodes)
	f.web = &http.Server{Handler: f.proxy, ReadHeaderTimeout: 10 * time.Second}
	f.serving.Go(func() { _ = f.web.Serve(listener) }) // ends with Close
	return f, nil
}

// URL is the balancer's address, http://host:port.
func (f *Farm) URL() string { return f.url }

// Redis is the nodes' Redis server.
func (f *Farm) Redis() *Redis { return f.redis }

// Nodes are the servers, in the order of their names.
func (f *Farm) Nodes() []*Node { return f.nodes }

// Close ends all that runs: first the nodes, which say goodbye to their clients through the balancer, then the balancer,
// then Redis. What does not end by itself is killed, which is an error, as is a node that ends with one. Nodes that
// were killed before are none.
func (f *Farm) Close() error {
	ended := make(chan error)
	for _, n := range f.nodes {
		go func() { ended <- n.Stop() }()
	}
	var err error
	for range f.nodes {
		err = errors.Join(err, <-ended)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if f.web.Shutdown(ctx) != nil {
		_ = f.web.Close() // cuts those whose node was killed
	}
	f.serving.Wait()
	f.proxy.close()
	f.redis.Stop()
	return errors.Join(err, os.RemoveAll(f.dir))
}

// kill ends what was started of a farm that did not come about.
func (f *Farm) kill() {
	for _, n := range f.nodes {
		n.Kill()
	}
	if f.redis != nil {
		f.redis.Stop()
	}
	_ = os.RemoveAll(f.dir) // nothing more can be done
}
