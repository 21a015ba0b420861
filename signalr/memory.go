package signalr

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"signalbox/signalr/internal/httpconn"
	"signalbox/signalr/protocol"
)

// MemoryLifetimeManager is a [HubLifetimeManager] for the connections of this process. It is what a hub has unless it
// is given another.
//
// ASP.NET Core: DefaultHubLifetimeManager.
type MemoryLifetimeManager struct {
	invocations atomic.Uint64

	targets targetPool

	mu      sync.RWMutex
	conns   map[string]*member
	groups  map[string]map[*Connection]struct{}
	users   map[string]map[*Connection]struct{}
	pending map[string]*question
}

// member is a connection with the groups that it is in.
type member struct {
	conn   *Connection
	groups map[string]struct{}
}

// question is a client result that is being waited for.
type question struct {
	conn   *Connection
	answer chan *protocol.Completion // has one place
}

// NewMemoryLifetimeManager returns a manager without connections.
func NewMemoryLifetimeManager() *MemoryLifetimeManager {
	return &MemoryLifetimeManager{
		conns:   make(map[string]*member),
		groups:  make(map[string]map[*Connection]struct{}),
		users:   make(map[string]map[*Connection]struct{}),
		pending: make(map[string]*question),
	}
}

var _ HubLifetimeManager = (*MemoryLifetimeManager)(nil)

// OnConnected implements [HubLifetimeManager]; it never fails.
func (m *MemoryLifetimeManager) OnConnected(_ context.Context, conn *Connection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[conn.ID()] = &member{conn: conn}
	if user := conn.UserID(); user != "" {
		addTo(m.users, user, conn)
	}
	return nil
}

// OnDisconnected implements [HubLifetimeManager]; it never fails.
func (m *MemoryLifetimeManager) OnDisconnected(_ context.Context, conn *Connection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.conns[conn.ID()]
	if mem == nil || mem.conn != conn {
		return nil
	}
	delete(m.conns, conn.ID())
	for g := range mem.groups {
		removeFrom(m.groups, g, conn)
	}
	if user := conn.UserID(); user != "" {
		removeFrom(m.users, user, conn)
	}
	return nil
}

func addTo(sets map[string]map[*Connection]struct{}, name string, conn *Connection) {
	set := sets[name]
	if set == nil {
		set = make(map[*Connection]struct{})
		sets[name] = set
	}
	set[conn] = struct{}{}
}

func removeFrom(sets map[string]map[*Connection]struct{}, name string, conn *Connection) {
	set := sets[name]
	delete(set, conn)
	if len(set) == 0 {
		delete(sets, name)
	}
}

// Send implements [HubLifetimeManager]. Nothing is sent when an argument cannot be encoded for one of the receivers.
func (m *MemoryLifetimeManager) Send(ctx context.Context, to Target, msg *SerializedMessage) error {
	own, err := m.sendToOthers(&to, msg)
	if err != nil || !own {
		return err
	}
	return to.Origin.sendOwn(ctx, msg)
}

// sendToOthers sends to everybody but the origin and says whether that is to get the message too: it may have to wait
// for room.
func (m *MemoryLifetimeManager) sendToOthers(to *Target, msg *SerializedMessage) (own bool, err error) {
	list := m.targets.get()
	defer m.targets.put(list)
	*list = m.appendTargets(*list, to)
	f := fanOut{msg: msg, to: to}
	for _, conn := range *list {
		f.send(conn)
	}
	return f.own, f.err
}

// appendTargets collects the connections that to names. The lock is held for no longer than that: connections come and
// go while a message is on its way to many.
func (m *MemoryLifetimeManager) appendTargets(list []*Connection, to *Target) []*Connection {
	m.mu.RLock()
	defer m.mu.RUnlock()
	sets := m.groups
	switch to.Kind {
	case TargetAll:
		for _, mem := range m.conns {
			list = append(list, mem.conn)
		}
		return list
	case TargetConnections:
		for _, id := range to.Names {
			if mem := m.conns[id]; mem != nil {
				list = append(list, mem.conn)
			}
		}
		return list
	case TargetUsers:
		sets = m.users
	}
	for i, name := range to.Names {
		if slices.Contains(to.Names[:i], name) {
			continue
		}
		for conn := range sets[name] {
			list = append(list, conn)
		}
	}
	return list
}

// targetPool holds the lists of connections that messages go to.
type targetPool struct{ pool sync.Pool }

func (p *targetPool) get() *[]*Connection {
	if list, ok := p.pool.Get().(*[]*Connection); ok {
		return list
	}
	return new([]*Connection)
}

func (p *targetPool) put(list *[]*Connection) {
	clear(*list)
	*list = (*list)[:0]
	p.pool.Put(list)
}

// fanOut is one message on its way to many connections.
type fanOut struct {
	msg *SerializedMessage
	to  *Target
	own bool
	err error
	// The last encoding, so that the lock of the message is not taken for every receiver.
	proto protocol.HubProtocol
	frame httpconn.Frame
}

func (f *fanOut) send(conn *Connection) {
	if f.err != nil || len(f.to.Except) > 0 && slices.Contains(f.to.Except, conn.ID()) {
		return
	}
	if conn == f.to.Origin {
		f.own = true
		return
	}
	if last, ok := f.msg.msg.(*protocol.Close); ok {
		conn.end(last, ending{})
		return
	}
	if p := conn.proto; p != f.proto {
		if f.frame, f.err = f.msg.frame(p); f.err != nil {
			if f.msg.msg == nil { // it came from elsewhere: no sender hears of it, and others have their encoding
				conn.fail(f.err)
				f.err, f.proto = nil, nil
			}
			return
		}
		f.proto = p
	}
	conn.push(f.frame)
}

// Invoke implements [HubLifetimeManager].
func (m *MemoryLifetimeManager) Invoke(ctx context.Context, connectionID string, inv *protocol.Invocation) (Result, error) {
	id := "s" + strconv.FormatUint(m.invocations.Add(1), 10) // the s keeps it apart from what clients choose (F-106)
	q := &question{answer: make(chan *protocol.Completion, 1)}
	m.mu.Lock()
	mem := m.conns[connectionID]
	if mem == nil {
		m.mu.Unlock()
		return Result{}, &connectionError{fmt.Sprintf("Connection '%s' does not exist.", connectionID)}
	}
	q.conn = mem.conn
	m.pending[id] = q
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.pending, id)
		m.mu.Unlock()
	}()
	inv.InvocationID = id
	if err := q.conn.sendOwn(ctx, NewSerializedMessage(inv)); err != nil {
		return Result{}, err
	}
	select {
	case res := <-q.answer:
		return NewResult(q.conn.proto, res)
	case <-q.conn.Context().Done():
		return Result{}, &connectionError{fmt.Sprintf("Connection '%s' disconnected.", connectionID)}
	case <-ctx.Done():
		return Result{}, canceled(ctx)
	}
}

// canceled is the error of a client result that the server gave up on (F-107).
func canceled(ctx context.Context) error {
	return fmt.Errorf("%w: %w", &HubError{Message: "Invocation canceled by the server."}, context.Cause(ctx))
}

// NewResult is what a completion says that p has read: the result, or a [*HubError] with the text that the caller gets
// (F-107).
func NewResult(p protocol.HubProtocol, res *protocol.Completion) (Result, error) {
	switch {
	case res.HasError:
		return Result{}, &HubError{Message: res.Error}
	case res.ResultErr != nil:
		return Result{}, Errorf("Error trying to deserialize result. %v", res.ResultErr)
	case !res.HasResult:
		return Result{}, Errorf("Exception of type 'Microsoft.AspNetCore.SignalR.HubException' was thrown.") // the reference's text (F-107)
	}
	return Result{Value: res.RawResult, Protocol: p}, nil
}

// SetResult implements [HubLifetimeManager].
func (m *MemoryLifetimeManager) SetResult(_ context.Context, conn *Connection, res *protocol.Completion) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q := m.pending[res.InvocationID]
	switch {
	case q == nil:
		return nil
	case q.conn != conn:
		return &namedError{"InvalidOperationException",
			fmt.Sprintf("Connection ID '%s' is not valid for invocation ID '%s'.", conn.ID(), res.InvocationID)}
	}
	delete(m.pending, res.InvocationID)
	copied := *res
	copied.RawResult = slices.Clone(res.RawResult) // it shares the memory of what was read
	q.answer <- &copied
	return nil
}

// AddToGroup implements [HubLifetimeManager]; it never fails.
func (m *MemoryLifetimeManager) AddToGroup(_ context.Context, connectionID, group string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mem := m.conns[connectionID]
	if mem == nil {
		return nil
	}
	if mem.groups == nil {
		mem.groups = make(map[string]struct{})
	}
	mem.groups[group] = struct{}{}
	addTo(m.groups, group, mem.conn)
	return nil
}

// RemoveFromGroup implements [HubLifetimeManager]; it never fails.
func (m *MemoryLifetimeManager) RemoveFromGroup(_ context.Context, connectionID, group string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mem := m.conns[connectionID]; mem != nil {
		delete(mem.groups, group)
		removeFrom(m.groups, group, mem.conn)
	}
	return nil
}

// MemoryCounts is how much a [MemoryLifetimeManager] knows of.
type MemoryCounts struct {
	Connections, Groups, Users int
	// ClientResults is how many client results are being waited for.
	ClientResults int
}

// Counts returns how much there is now.
func (m *MemoryLifetimeManager) Counts() MemoryCounts {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return MemoryCounts{Connections: len(m.conns), Groups: len(m.groups), Users: len(m.users), ClientResults: len(m.pending)}
}
