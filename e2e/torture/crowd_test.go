//go:build unix

package torture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// nodePackage is where npm has installed the official client.
const nodePackage = "../node/package.json"

// needNode skips a test where the official client cannot run.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no Node.js, in which the official client runs")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(nodePackage), "node_modules", "@microsoft", "signalr")); err != nil {
		t.Skip("the official client is not installed: npm ci in e2e/node, as make test does")
	}
	if _, err := os.Stat("clients.mjs"); err != nil { // and so the go command knows that the result depends on it
		t.Fatal(err)
	}
}

// options are what clients.mjs is told of one client.
type options struct {
	Name      string `json:"name"`
	User      string `json:"user"`
	Cookie    string `json:"cookie"`
	Transport string `json:"transport"`
	Protocol  string `json:"protocol"`
}

// ways are the transports with the protocols that they carry.
var ways = [][2]string{{"ws", "json"}, {"ws", "msgpack"}, {"sse", "json"}, {"lp", "json"}, {"lp", "msgpack"}}

// crowd is the process with the official clients, the raw ones beside it, and what all of them have told. Its methods
// are safe for concurrent use.
type crowd struct {
	cmd   *exec.Cmd
	stdin io.Closer
	read  chan struct{} // closed when the process has no more to say
	log   tail
	raw   *swarm

	enough   context.CancelFunc // ends watching
	watching sync.WaitGroup

	mu      sync.Mutex
	views   map[string]*view
	has     map[string]map[entry]bool // what is in each view
	events  map[string]int            // by name
	online  map[string]bool
	lost    map[string]time.Time // of those who have lost their connection, when
	returns []comeback
	late    time.Duration // by how much the processes with the clients were held up at most, since late was asked for
	latest  time.Time     // when one of them last showed something
	strange error         // what could not be understood
}

// startCrowd starts the clients of a plan.
func startCrowd(url string, p plan, clients []options) (*crowd, error) {
	c := &crowd{
		read: make(chan struct{}), views: map[string]*view{}, has: map[string]map[entry]bool{}, events: map[string]int{},
		online: map[string]bool{}, lost: map[string]time.Time{}, latest: time.Now(),
	}
	pkg, err := filepath.Abs(nodePackage)
	if err != nil {
		return nil, err
	}
	for _, o := range clients {
		c.views[o.Name] = &view{client: fmt.Sprintf("%s (%s, %s)", o.Name, o.Transport, o.Protocol), user: o.User}
		c.has[o.Name] = map[entry]bool{}
	}
	c.cmd = exec.Command("node", "clients.mjs")
	c.cmd.SysProcAttr, c.cmd.Stderr = endsWithParent(), &c.log
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	watching, enough := context.WithCancel(context.Background())
	c.enough = enough
	c.watching.Go(func() { c.watch(watching) })
	c.stdin, c.raw = stdin, startSwarm(url, clients[len(clients)-p.raw:], c.note)
	go func() {
		defer close(c.read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			c.noteLine(lines.Bytes())
		}
	}()
	settings := map[string]any{"package": pkg, "url": url, "sabotage": p.sabotage, "stock": p.stock,
		"clients": clients[:len(clients)-p.raw]}
	if err := json.NewEncoder(stdin).Encode(settings); err != nil {
		return nil, errors.Join(fmt.Errorf("telling the clients what to do: %w", err), c.stop())
	}
	return c, nil
}

// told is what a client says of itself.
type told struct {
	Client, Event, By string
	Milliseconds      float64
	entry
}

// noteLine takes a line of the official clients.
func (c *crowd) noteLine(line []byte) {
	var said told
	if err := json.Unmarshal(line, &said); err != nil {
		said.Client = fmt.Sprintf("%q", line)
	}
	c.note(said)
}

// note takes what a client says.
func (c *crowd) note(said told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.views[said.Client]
	if v == nil {
		c.strange = errors.Join(c.strange, fmt.Errorf("no client is called %s", said.Client))
		return
	}
	switch said.Event {
	case "shown":
		v.shown = append(v.shown, said.entry)
		c.has[said.Client][said.entry] = true
		c.latest = time.Now()
		c.events[said.By]++
	case "connected":
		c.online[said.Client] = true
		if at, was := c.lost[said.Client]; was {
			delete(c.lost, said.Client)
			c.returns = append(c.returns, comeback{at, time.Now()})
		}
	case "lost":
		if _, already := c.lost[said.Client]; !already {
			c.lost[said.Client] = time.Now()
		}
	case "late":
		c.late = max(c.late, time.Duration(said.Milliseconds*float64(time.Millisecond)))
	}
	c.events[said.Event]++
}

// connected says how many clients have been connected at some time.
func (c *crowd) connected() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.online)
}

// comeback is when a client has lost its connection, and when it had another.
type comeback struct{ lost, back time.Time }

// comebacks returns how clients have come back, in the order in which they did.
func (c *crowd) comebacks() []comeback {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.returns)
}

// lateness says by how much the processes with the clients were held up at most since it was last called: by so much
// what they tell may come late, and together.
func (c *crowd) lateness() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := c.late
	c.late = 0
	return late
}

// watchInterval is how often a process with clients looks whether it is held up.
const watchInterval = 20 * time.Millisecond

// watch notes by how much this process is held up, until ctx ends.
func (c *crowd) watch(ctx context.Context) {
	for last := time.Now(); pause(ctx, watchInterval); {
		at := time.Now()
		c.mu.Lock()
		c.late = max(c.late, at.Sub(last)-watchInterval)
		c.mu.Unlock()
		last = at
	}
}

// missing counts what clients have not shown of what is stored, and says how long nobody has shown anything.
func (c *crowd) missing(stored map[string][]entry) (n int, quiet time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, v := range c.views {
		for _, e := range stored[v.user] {
			if !c.has[name][e] {
				n++
			}
		}
	}
	return n, time.Since(c.latest)
}

// stop ends the clients.
func (c *crowd) stop() error {
	c.enough()
	c.watching.Wait()
	c.raw.stop()
	_ = c.stdin.Close() // fails if they have ended already
	limit := time.AfterFunc(stopLimit, func() { _ = c.cmd.Process.Kill() })
	defer limit.Stop()
	<-c.read
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the clients: %w\n%s", err, &c.log)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.strange
}

// result returns what each client has shown, by name, and how often what has happened.
func (c *crowd) result() (views []view, events map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.views)) {
		views = append(views, *c.views[name])
	}
	return views, maps.Clone(c.events)
}
