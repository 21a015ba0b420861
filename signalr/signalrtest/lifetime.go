package signalrtest

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"signalbox/signalr"
	"signalbox/signalr/protocol"
)

// TestLifetimeManager tests what every manager promises to the connections of its own server. newManager is called for
// each test; what it returns may be ended by a cleanup of that test.
//
// ASP.NET Core: HubLifetimeManagerTestsBase.
func TestLifetimeManager(t *testing.T, newManager func(t *testing.T) signalr.HubLifetimeManager) {
	for _, test := range []struct {
		name string
		run  func(*server)
	}{
		{"SendAllWritesToAllConnectionsOutput", sendAll},
		{"SendAllDoesNotWriteToDisconnectedConnectionsOutput", sendAllDisconnected},
		{"SendAllExceptDoesNotWriteToExcludedConnections", sendAllExcept},
		{"SendGroupWritesToAllConnectionsInGroupOutput", sendGroup},
		{"SendGroupExceptDoesNotWriteToExcludedConnections", sendGroupExcept},
		{"SendGroupsAndUsersWritesToEachOfThem", sendGroupsAndUsers},
		{"SendConnectionWritesToConnectionOutput", sendConnection},
		{"SendConnectionsWritesToEachOfThem", sendConnections},
		{"SendsToOneTargetArriveInOrder", sendInOrder},
		{"SendFailsWhenAnArgumentCannotBeEncoded", sendUnencodable},
		{"GroupNamesAreToldApartByteForByte", groupNames},
		{"GroupNameWithPatternIsTreatedAsLiteral", groupPatterns},
		{"AddGroupForLocalConnectionAlreadyInGroupDoesNothing", joinTwice},
		{"RemoveGroupFromLocalConnectionNotInGroupDoesNothing", leaveOther},
		{"GroupsOfConnectionsThatDoNotExistAreNoError", groupsOfNobody},
		{"AddAllAddsToEveryGroup", addAll},
		{"DisconnectConnectionRemovesConnectionFromGroup", disconnectLeavesGroups},
		{"InvokeUserSendsToAllConnectionsForUser", sendUser},
		{"StillSubscribedToUserAfterOneOfMultipleConnectionsAssociatedWithUserDisconnects", sendUserLeft},
		{"CloseEndsConnections", closeConnections},
		{"CanProcessClientReturnResult", invokeResult},
		{"CanProcessClientReturnErrorResult", invokeError},
		{"ClientReturnResultWithWrongTypeErrors", invokeWrongType},
		{"ExceptionWhenIncorrectClientCompletesClientResult", invokeWrongClient},
		{"ConnectionIDNotPresentWhenInvokingClientResult", invokeNobody},
		{"InvokesForMultipleClientsDoNotCollide", invokeSeveral},
		{"ClientDisconnectsWithoutCompletingClientResult", invokeDisconnect},
		{"CanCancelClientResult", invokeCancel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(newServer(t, newManager(t))) })
	}
}

func sendAll(s *server) {
	a, b := s.connect(), s.connect()
	s.send(s.hub.Clients().All(), "x")
	a.gets("x")
	b.gets("x")
}

func sendAllDisconnected(s *server) {
	a, b := s.connect(), s.connect()
	b.close()
	s.send(s.hub.Clients().All(), "x")
	a.gets("x")
	if m, ok := <-b.messages; ok {
		s.t.Errorf("a connection that is over got %v", m)
	}
}

func sendAllExcept(s *server) {
	a, b := s.connect(), s.connect()
	s.send(s.hub.Clients().AllExcept(a.id, "nobody"), "x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
	b.gets("x", "end")
}

func sendGroup(s *server) {
	a, b := s.connect(), s.connect()
	s.join(a, "g")
	s.send(s.hub.Clients().Group("g"), "x")
	s.send(s.hub.Clients().Group("empty"), "y")
	s.send(s.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
}

func sendGroupExcept(s *server) {
	a, b := s.connect(), s.connect()
	s.join(a, "g")
	s.join(b, "g")
	s.send(s.hub.Clients().GroupExcept("g", b.id), "x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
}

func sendGroupsAndUsers(s *server) {
	a, b, c := s.connectAs("ann"), s.connectAs("bob"), s.connectAs("eve")
	s.join(a, "g1")
	s.join(b, "g2")
	s.send(s.hub.Clients().Groups("g1", "g2", "g1"), "groups")
	s.send(s.hub.Clients().Users("bob", "eve", "nobody"), "users")
	s.send(s.hub.Clients().All(), "end")
	a.gets("groups", "end")
	b.gets("groups", "users", "end")
	c.gets("users", "end")
}

func sendConnection(s *server) {
	a, b := s.connect(), s.connect()
	s.send(s.hub.Clients().Client("nobody").ClientProxy, "y")
	s.send(s.hub.Clients().Client(a.id).ClientProxy, "x")
	a.gets("x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
	b.gets("end")
}

func sendConnections(s *server) {
	a, b, c := s.connect(), s.connect(), s.connect()
	s.send(s.hub.Clients().Clients(a.id, c.id, "nobody"), "x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("end")
	c.gets("x", "end")
}

func sendInOrder(s *server) {
	a := s.connectAs("ann")
	s.join(a, "g")
	for _, p := range []signalr.ClientProxy{
		s.hub.Clients().All(), s.hub.Clients().Group("g"), s.hub.Clients().User("ann"), s.hub.Clients().Client(a.id).ClientProxy,
	} {
		var want []string
		for i := range 200 {
			want = append(want, strconv.Itoa(i))
			s.send(p, want[i])
		}
		a.gets(want...)
	}
}

func sendUnencodable(s *server) {
	a := s.connect()
	for _, p := range []signalr.ClientProxy{s.hub.Clients().All(), s.hub.Clients().Client(a.id).ClientProxy} {
		if err := p.Send(s.ctx(), "Hello", func() {}); err == nil {
			s.t.Error("a function was sent")
		}
	}
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
}

func groupNames(s *server) {
	a, b := s.connect(), s.connect()
	for _, name := range []string{"g", "", "grüppe 日本", "a:b", "g "} {
		s.join(a, name)
	}
	s.join(b, "g")
	s.join(b, "G")
	s.leave(b, "G") // with ASP.NET Core's Redis backplane this mixes up the membership of g (F-173)
	for _, name := range []string{"g", "G", "", "grüppe 日本", "a:b", "g "} {
		s.send(s.hub.Clients().Group(name), name)
	}
	s.send(s.hub.Clients().All(), "end")
	a.gets("g", "", "grüppe 日本", "a:b", "g ", "end")
	b.gets("g", "end")
}

func groupPatterns(s *server) {
	a, b := s.connectAs("*"), s.connectAs("x")
	s.join(a, "*")
	s.join(b, "x")
	s.send(s.hub.Clients().Group("x"), "to x")
	s.send(s.hub.Clients().Group("*"), "to *")
	s.send(s.hub.Clients().User("*"), "user *")
	s.send(s.hub.Clients().User("x"), "user x")
	a.gets("to *", "user *")
	b.gets("to x", "user x")
}

func joinTwice(s *server) {
	a := s.connect()
	s.join(a, "g")
	s.join(a, "g")
	s.send(s.hub.Clients().Group("g"), "x")
	a.gets("x") // what is still on its way to a group does not reach who leaves it
	s.leave(a, "g")
	s.send(s.hub.Clients().Group("g"), "y")
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
}

func leaveOther(s *server) {
	a := s.connect()
	s.leave(a, "g")
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
}

func groupsOfNobody(s *server) {
	a := s.connect()
	s.join(&client{id: "nobody"}, "g")
	s.leave(&client{id: "nobody"}, "g")
	s.send(s.hub.Clients().Group("g"), "x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
}

func addAll(s *server) {
	a := s.connect()
	if err := s.hub.Groups().AddAll(s.ctx(), a.id, "g1", "g2", "g3"); err != nil {
		s.t.Fatal(err)
	}
	for _, g := range []string{"g1", "g2", "g3", "g4"} {
		s.send(s.hub.Clients().Group(g), g)
	}
	s.send(s.hub.Clients().All(), "end")
	a.gets("g1", "g2", "g3", "end")
}

func disconnectLeavesGroups(s *server) {
	a, b := s.connect(), s.connect()
	s.join(a, "g")
	s.join(b, "g")
	b.close()
	s.send(s.hub.Clients().Group("g"), "x")
	a.gets("x")
}

func sendUser(s *server) {
	a, b, c := s.connectAs("ann"), s.connectAs("ann"), s.connectAs("bob")
	s.send(s.hub.Clients().User("ann"), "x")
	s.send(s.hub.Clients().All(), "end")
	a.gets("x", "end")
	b.gets("x", "end")
	c.gets("end")
}

func sendUserLeft(s *server) {
	a, b := s.connectAs("ann"), s.connectAs("ann")
	b.close()
	for range 3 { // the end of b may come in between
		s.send(s.hub.Clients().User("ann"), "x")
		a.gets("x")
	}
}

func closeConnections(s *server) {
	clients := s.hub.Clients()
	for _, to := range []func(a, b *client) signalr.ClientProxy{
		func(a, _ *client) signalr.ClientProxy { return clients.Client(a.id).ClientProxy },
		func(_, _ *client) signalr.ClientProxy { return clients.User("closed") },
		func(_, _ *client) signalr.ClientProxy { return clients.Group("closed") },
		func(_, b *client) signalr.ClientProxy { return clients.AllExcept(b.id) },
	} {
		a, b := s.connectAs("closed"), s.connect()
		s.join(a, "closed")
		s.end(to(a, b))
		a.isClosed()
		s.send(clients.All(), "end")
		b.gets("end")
		b.close()
	}
}

func invokeResult(s *server) {
	a := s.connect()
	done := s.ask(s.ctx(), a.id)
	a.answer(a.question(), "10")
	if r := await(s.t, done); r.err != nil || r.value != 10 {
		s.t.Errorf("got %v, %v", r.value, r.err)
	}
}

func invokeError(s *server) {
	a := s.connect()
	done := s.ask(s.ctx(), a.id)
	a.fail(a.question(), "Error from client")
	wantHubError(s.t, await(s.t, done), "Error from client")
}

func wantHubError(t *testing.T, r invoked, text string) {
	t.Helper()
	he, ok := errors.AsType[*signalr.HubError](r.err)
	if !ok || he.Message != text {
		t.Errorf("got %v, %v, want the HubError %q", r.value, r.err, text)
	}
}

func invokeWrongType(s *server) {
	a := s.connect()
	done := s.ask(s.ctx(), a.id)
	a.answer(a.question(), `"string"`)
	if r := await(s.t, done); r.err == nil {
		s.t.Errorf("a text became the number %d", r.value)
	}
}

func invokeWrongClient(s *server) {
	a, b := s.connect(), s.connect()
	done := s.ask(s.ctx(), a.id)
	q := a.question()
	b.answer(q, "1")
	for { // F-108
		if m, ok := b.next(); !ok {
			break
		} else if m.Type != 7 {
			s.t.Errorf("who answers for another got %v", m)
		}
	}
	a.answer(q, "2")
	if r := await(s.t, done); r.err != nil || r.value != 2 {
		s.t.Errorf("got %v, %v", r.value, r.err)
	}
}

func invokeNobody(s *server) {
	_, err := s.manager.Invoke(s.ctx(), "nobody", &protocol.Invocation{Target: "Result"})
	if !errors.Is(err, signalr.ErrConnectionClosed) || err.Error() != "Connection 'nobody' does not exist." {
		s.t.Errorf("asking nobody: got %v", err)
	}
}

func invokeSeveral(s *server) {
	a, b := s.connect(), s.connect()
	toA, toB := s.ask(s.ctx(), a.id), s.ask(s.ctx(), b.id)
	qa, qb := a.question(), b.question()
	if qa.InvocationID == qb.InvocationID {
		s.t.Error("two questions have the same id")
	}
	b.answer(qb, "2")
	a.answer(qa, "1")
	got := []int{await(s.t, toA).value, await(s.t, toB).value}
	if !slices.Equal(got, []int{1, 2}) {
		s.t.Errorf("got %v", got)
	}
}

func invokeDisconnect(s *server) {
	a := s.connect()
	done := s.ask(s.ctx(), a.id)
	a.question()
	a.close()
	if r := await(s.t, done); r.err == nil {
		s.t.Errorf("a client that left has answered %d", r.value)
	}
}

func invokeCancel(s *server) {
	a := s.connect()
	ctx, cancel := context.WithCancel(s.ctx())
	done := s.ask(ctx, a.id)
	q := a.question()
	cancel()
	r := await(s.t, done)
	wantHubError(s.t, r, "Invocation canceled by the server.")
	if !errors.Is(r.err, context.Canceled) {
		s.t.Errorf("got %v, want it to say that it was canceled", r.err)
	}
	a.answer(q, "1") // ignored
	s.send(s.hub.Clients().All(), "end")
	a.gets("end")
}
