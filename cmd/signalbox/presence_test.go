package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
	"signalbox/presence/presencetest"
)

// present asks how many connections anna has, and whether the answer is that of one node.
func (s *server) present(key string) (connections int, partial bool) {
	s.t.Helper()
	answer := s.backEnd(key, http.MethodGet, "/presence/anna", nil, http.StatusOK)
	list := answer["connections"].([]any)
	if answer["online"] != (len(list) > 0) {
		s.t.Errorf("answered %v", answer)
	}
	return len(list), answer["partial"].(bool)
}

// becomes waits until anna has so many connections.
func (s *server) becomes(key string, connections int, partial bool) {
	s.t.Helper()
	eventually(s.t, "anna's connections to be counted", func() bool {
		n, some := s.present(key)
		return n == connections && some == partial
	})
}

// TestPresence: connections to both hubs count, until they end.
func TestPresence(t *testing.T) {
	dir, key := shop(t)
	s := serve(t, dir, quiet...)
	anna := s.signedIn("anna", "anna")
	s.becomes(key, 0, false)
	notifications, orders := anna.connect(notificationhub.Path), anna.connect(orderhub.Path)
	s.becomes(key, 2, false)
	want := object{"users": []any{object{"user": "anna", "connections": 2.0}}, "online": 1.0, "connections": 2.0, "partial": false}
	if diff := cmp.Diff(want, s.backEnd(key, http.MethodGet, "/presence", nil, http.StatusOK)); diff != "" {
		t.Errorf("who is online (-want +got):\n%s", diff)
	}
	_ = orders.ws.CloseNow()
	s.becomes(key, 1, false)
	_ = notifications.ws.CloseNow()
	s.becomes(key, 0, false)
}

// TestPresenceOfAFarm runs three servers on one Redis. One is killed: what it had vanishes within its lease. Redis is
// lost and comes back empty: each server says meanwhile that it speaks for itself.
func TestPresenceOfAFarm(t *testing.T) {
	dir, key := shop(t)
	redis := presencetest.StartRedis(t)
	args := append([]string{"--redis-url", redis.URL}, quiet...)
	a, b := serve(t, dir, args...), serve(t, dir, args...)
	dying, kill := serveProcess(t, dir, args...)
	anna := a.signedIn("anna", "anna") // the cookie is good everywhere: they have one database
	anna.connect(notificationhub.Path)
	onB, onDying := &visitor{b, anna.http}, &visitor{dying, anna.http}
	_ = onB.connect(notificationhub.Path)
	_ = onDying.connect(notificationhub.Path)
	for _, s := range []*server{a, b, dying} {
		s.becomes(key, 3, false)
	}
	kill()
	killed := time.Now()
	if n, _ := a.present(key); n != 3 {
		t.Errorf("anna has %d connections right after the kill, want 3: the lease has not ended", n)
	}
	a.becomes(key, 2, false)
	if took := time.Since(killed); took > 20*time.Second {
		t.Errorf("the killed server's connection was counted for %v, the bound is 15s", took)
	}

	redis.Stop()
	a.becomes(key, 1, true)
	if got := a.visitor().probe("/readyz"); !strings.HasPrefix(got, "200 ok, degraded: ") {
		t.Errorf("/readyz was answered %s", got)
	}
	third := anna.connect(orderhub.Path) // is not kept waiting
	a.becomes(key, 2, true)
	redis.Start()
	for _, s := range []*server{a, b} {
		s.becomes(key, 3, false)
	}
	_ = third.ws.CloseNow()
	b.becomes(key, 2, false)
}
