package signalrtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// Farm makes the managers of servers that belong together: one for each call.
type Farm func() signalr.HubLifetimeManager

// TestScaleout tests what managers promise that connect several servers. newFarm is called for each test; what its farm
// makes may be ended by a cleanup of that test. Sends of one server to all, groups and users must arrive in their order.
//
// ASP.NET Core: ScaleoutHubLifetimeManagerTests.
func TestScaleout(t *testing.T, newFarm func(t *testing.T) Farm) {
	for _, test := range []struct {
		name string
		run  func(one, two *server)
	}{
		{"InvokeAllWithMultipleServersWritesToAllConnectionsOutput", farmAll},
		{"InvokeAllWithMultipleServersDoesNotWriteToDisconnectedConnectionsOutput", farmAllDisconnected},
		{"InvokeAllExceptWithMultipleServersDoesNotWriteToExcludedConnections", farmAllExcept},
		{"InvokeConnectionOnServerWithoutConnectionWritesOutputToConnection", farmConnection},
		{"InvokeConnectionsOnMultipleServersWritesToEachOfThem", farmConnections},
		{"InvokeGroupOnServerWithoutConnectionWritesOutputToGroupConnection", farmGroup},
		{"InvokeGroupExceptOnMultipleServers", farmGroupExcept},
		{"DisconnectConnectionRemovesConnectionFromGroup", farmDisconnect},
		{"RemoveGroupFromLocalConnectionNotInGroupDoesNothing", func(one, _ *server) { leaveOther(one) }},
		{"RemoveGroupFromConnectionOnDifferentServerNotInGroupDoesNothing", farmLeaveOther},
		{"AddGroupForConnectionOnDifferentServerWorks", farmJoin},
		{"AddGroupForLocalConnectionAlreadyInGroupDoesNothing", func(one, _ *server) { joinTwice(one) }},
		{"AddGroupForConnectionOnDifferentServerAlreadyInGroupDoesNothing", farmJoinTwice},
		{"AddAllForConnectionOnDifferentServerWorks", farmAddAll},
		{"RemoveGroupForConnectionOnDifferentServerWorks", farmLeave},
		{"WritingToRemoteConnectionThatFailsDoesNotThrow", farmGone},
		{"WritingToGroupWithOneConnectionFailingSecondConnectionStillReceivesMessage", farmGroupOneGone},
		{"InvokeUserSendsToAllConnectionsForUser", farmUser},
		{"StillSubscribedToUserAfterOneOfMultipleConnectionsAssociatedWithUserDisconnects", farmUserLeft},
		{"SendsToOneTargetArriveInOrder", farmOrder},
		{"CloseEndsConnectionsOnDifferentServer", farmClose},
		{"CanProcessClientReturnResultAcrossServers", farmResult},
		{"CanProcessClientReturnErrorResultAcrossServers", farmError},
		{"ConnectionIDNotPresentMultiServerWhenInvokingClientResult", farmInvokeNobody},
		{"ClientDisconnectsWithoutCompletingClientResultOnSecondServer", farmInvokeDisconnect},
		{"InvocationsFromDifferentServersUseUniqueIDs", farmInvokeIDs},
		{"ExceptionWhenIncorrectClientCompletesClientResultAcrossServers", farmWrongClient},
		{"CanCancelClientResultAcrossServers", farmCancel},
		{"ClientReturnResultAcrossServersWithWrongReturnedTypeErrors", farmWrongType},
	} {
		t.Run(test.name, func(t *testing.T) {
			farm := newFarm(t)
			test.run(newServer(t, farm()), newServer(t, farm()))
		})
	}
}

func farmAll(one, two *server) {
	a, b := one.connect(), two.connect()
	one.send(one.hub.Clients().All(), "from one")
	a.gets("from one")
	b.gets("from one")
	two.send(two.hub.Clients().All(), "from two")
	a.gets("from two")
	b.gets("from two")
}

func farmAllDisconnected(one, two *server) {
	a, b := one.connect(), two.connect()
	b.close()
	two.send(two.hub.Clients().All(), "x")
	a.gets("x")
}

func farmAllExcept(one, two *server) {
	a, b, c := one.connect(), two.connect(), two.connect()
	one.send(one.hub.Clients().AllExcept(b.id), "x")
	one.send(one.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
	c.gets("x", "end")
}

func farmConnection(one, two *server) {
	a, b := one.connect(), two.connect()
	two.send(two.hub.Clients().Client(a.id).ClientProxy, "x")
	two.send(two.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
}

func farmConnections(one, two *server) {
	a, b, c := one.connect(), two.connect(), two.connect()
	one.send(one.hub.Clients().Clients(a.id, b.id, "nobody"), "x")
	one.send(one.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("x", "end")
	c.gets("end")
}

func farmGroup(one, two *server) {
	a, b := one.connect(), one.connect()
	one.join(a, "g")
	two.send(two.hub.Clients().Group("g"), "x")
	two.send(two.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
}

func farmGroupExcept(one, two *server) {
	a, b := one.connect(), two.connect()
	one.join(a, "g")
	two.join(b, "g")
	one.send(one.hub.Clients().GroupExcept("g", b.id), "x")
	one.send(one.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
}

func farmDisconnect(one, two *server) {
	a, b := one.connect(), two.connect()
	one.join(a, "g")
	two.join(b, "g")
	a.close()
	one.send(one.hub.Clients().Group("g"), "x")
	b.gets("x")
}

func farmLeaveOther(one, two *server) {
	a := one.connect()
	two.leave(a, "g")
	two.send(two.hub.Clients().All(), "end")
	a.gets("end")
}

func farmJoin(one, two *server) {
	a := one.connect()
	two.join(a, "g")
	two.send(two.hub.Clients().Group("g"), "x")
	a.gets("x") // messages of different servers need not come in an order
	one.send(one.hub.Clients().Group("g"), "y")
	a.gets("y")
}

func farmJoinTwice(one, two *server) {
	a := one.connect()
	one.join(a, "g")
	two.join(a, "g")
	two.send(two.hub.Clients().Group("g"), "x")
	a.gets("x")
	two.leave(a, "g")
	two.send(two.hub.Clients().Group("g"), "y")
	two.send(two.hub.Clients().All(), "end")
	a.gets("end")
}

func farmAddAll(one, two *server) {
	a := one.connect()
	var groups []string
	for i := range 1200 {
		groups = append(groups, fmt.Sprintf("g%d", i))
	}
	if err := two.hub.Groups().AddAll(two.ctx(), a.id, groups...); err != nil {
		two.t.Fatal(err)
	}
	for _, g := range []string{"g0", "g600", "g1199"} {
		two.send(two.hub.Clients().Group(g), g)
		a.gets(g)
	}
}

func farmLeave(one, two *server) {
	a := one.connect()
	one.join(a, "g")
	two.send(two.hub.Clients().Group("g"), "x")
	a.gets("x")
	two.leave(a, "g")
	two.send(two.hub.Clients().Group("g"), "y")
	two.send(two.hub.Clients().All(), "end")
	a.gets("end")
}

func farmGone(one, two *server) {
	a, b := one.connect(), one.connect()
	a.close()
	two.send(two.hub.Clients().Client(a.id).ClientProxy, "x")
	two.send(two.hub.Clients().All(), "end")
	b.gets("end")
}

func farmGroupOneGone(one, two *server) {
	a, b := one.connect(), one.connect()
	one.join(a, "g")
	one.join(b, "g")
	a.close()
	two.send(two.hub.Clients().Group("g"), "x")
	b.gets("x")
}

func farmUser(one, two *server) {
	a, b, c := one.connectAs("ann"), two.connectAs("ann"), two.connectAs("bob")
	one.send(one.hub.Clients().User("ann"), "x")
	one.send(one.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("x", "end")
	c.gets("end")
}

func farmUserLeft(one, two *server) {
	a, b := one.connectAs("ann"), one.connectAs("ann")
	b.close()
	for range 3 { // the end of b may come in between
		two.send(two.hub.Clients().User("ann"), "x")
		a.gets("x")
	}
}

func farmOrder(one, two *server) {
	a := one.connectAs("ann")
	one.join(a, "g")
	for _, p := range []signalr.ClientProxy{
		two.hub.Clients().All(), two.hub.Clients().Group("g"), two.hub.Clients().User("ann"),
		two.hub.Clients().Client(a.id).ClientProxy,
	} {
		var want []string
		for i := range 100 {
			want = append(want, strconv.Itoa(i))
			two.send(p, want[i])
		}
		a.gets(want...)
	}
}

func farmClose(one, two *server) {
	clients := two.hub.Clients()
	for _, to := range []func(a *client) signalr.ClientProxy{
		func(a *client) signalr.ClientProxy { return clients.Client(a.id).ClientProxy },
		func(*client) signalr.ClientProxy { return clients.User("closed") },
		func(*client) signalr.ClientProxy { return clients.Group("closed") },
	} {
		a, b, c := one.connectAs("closed"), one.connect(), two.connect()
		one.join(a, "closed")
		two.end(to(a))
		a.isClosed()
		two.send(clients.All(), "end")
		b.gets("end")
		c.gets("end")
		b.close()
		c.close()
	}
}

func farmResult(one, two *server) {
	a := one.connect()
	done := two.ask(two.ctx(), a.id)
	a.answer(a.question(), " 10 ")
	if r := await(two.t, done); r.err != nil || r.value != 10 {
		two.t.Errorf("got %v, %v", r.value, r.err)
	}
}

func farmError(one, two *server) {
	a := one.connect()
	done := two.ask(two.ctx(), a.id)
	a.fail(a.question(), "Error from client")
	wantHubError(two.t, await(two.t, done), "Error from client")
}

func farmInvokeNobody(one, two *server) {
	a := one.connect()
	a.close()
	two.t.Helper()
	_, err := two.manager.Invoke(two.ctx(), "nobody", &protocol.Invocation{Target: "Result"})
	if !errors.Is(err, signalr.ErrConnectionClosed) || err.Error() != "Connection 'nobody' does not exist." {
		two.t.Errorf("asking nobody: got %v", err)
	}
}

func farmInvokeDisconnect(one, two *server) {
	a := one.connect()
	done := two.ask(two.ctx(), a.id)
	a.question()
	a.close()
	if r := await(two.t, done); r.err == nil {
		two.t.Errorf("a client that left has answered %d", r.value)
	}
}

func farmInvokeIDs(one, two *server) {
	a := one.connect()
	here, there := one.ask(one.ctx(), a.id), two.ask(two.ctx(), a.id)
	q1, q2 := a.question(), a.question()
	if q1.InvocationID == q2.InvocationID {
		one.t.Error("two servers ask with the same id")
	}
	a.answer(q1, "1")
	a.answer(q2, "1")
	for _, done := range []<-chan invoked{here, there} {
		if r := await(one.t, done); r.err != nil || r.value != 1 {
			one.t.Errorf("got %v, %v", r.value, r.err)
		}
	}
}

func farmWrongClient(one, two *server) {
	a, b := one.connect(), one.connect()
	done := two.ask(two.ctx(), a.id)
	q := a.question()
	b.answer(q, "1")
	b.isClosed() // F-108
	a.answer(q, "2")
	if r := await(two.t, done); r.err != nil || r.value != 2 {
		two.t.Errorf("got %v, %v", r.value, r.err)
	}
}

func farmCancel(one, two *server) {
	a := one.connect()
	ctx, cancel := context.WithCancel(two.ctx())
	done := two.ask(ctx, a.id)
	q := a.question()
	cancel()
	wantHubError(two.t, await(two.t, done), "Invocation canceled by the server.")
	a.answer(q, "1") // ignored
	two.send(two.hub.Clients().All(), "end")
	a.gets("end")
}

func farmWrongType(one, two *server) {
	a := one.connect()
	done := two.ask(two.ctx(), a.id)
	a.answer(a.question(), `"string"`)
	r := await(two.t, done)
	if _, ok := errors.AsType[*signalr.HubError](r.err); !ok {
		two.t.Errorf("a text became the number %d, %v", r.value, r.err)
	}
}
