package web

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestAttempts(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAttempts()
	key := attemptKey{name: "alice"}
	for i := range maxAttempts {
		if wait := a.begin(key, now.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("attempt %d must wait %v", i+1, wait)
		}
	}
	if got, want := a.begin(key, now.Add(time.Minute)), attemptWindow-time.Minute; got != want {
		t.Errorf("one too many waits %v, want %v", got, want)
	}
	if wait := a.begin(attemptKey{name: "bob"}, now); wait != 0 {
		t.Errorf("another name waits %v", wait)
	}
	if wait := a.begin(key, now.Add(attemptWindow)); wait != 0 {
		t.Errorf("after the window it waits %v", wait)
	}
	for range maxAttempts {
		a.begin(key, now.Add(attemptWindow))
	}
	a.succeeded(key)
	if wait := a.begin(key, now.Add(attemptWindow)); wait != 0 {
		t.Errorf("after success it waits %v", wait)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAttempts()
	at := func(i int) time.Time { return now.Add(time.Duration(i) * time.Millisecond) }
	key := func(i int) attemptKey { return attemptKey{name: fmt.Sprint(i)} }
	for i := range maxAttemptKeys + 10 {
		a.begin(key(i), at(i))
	}
	if got := len(a.keys); got != maxAttemptKeys {
		t.Errorf("%d keys, want %d", got, maxAttemptKeys)
	}
	if _, ok := a.keys[key(9)]; ok {
		t.Error("the oldest is still there")
	}
	if _, ok := a.keys[key(10)]; !ok {
		t.Error("more than the oldest is gone")
	}
	a.begin(key(-1), now.Add(time.Hour))
	if got := len(a.keys); got != 1 {
		t.Errorf("%d keys after all others have run out, want 1", got)
	}
}

func TestAttemptKeys(t *testing.T) {
	key := func(address, name string) attemptKey {
		return attemptKeyOf(&http.Request{RemoteAddr: address}, name)
	}
	tests := []struct {
		name string
		a, b attemptKey
		same bool
	}{
		{"ports do not count", key("192.0.2.1:1", "alice"), key("192.0.2.1:2", "alice"), true},
		{"nor does case", key("192.0.2.1:1", "alice"), key("192.0.2.1:1", "ALICE"), true},
		{"addresses do", key("192.0.2.1:1", "alice"), key("192.0.2.2:1", "alice"), false},
		{"names do", key("192.0.2.1:1", "alice"), key("192.0.2.1:1", "bob"), false},
		{"one network of IPv6", key("[2001:db8::1]:1", "alice"), key("[2001:db8::2]:1", "alice"), true},
		{"two networks of IPv6", key("[2001:db8::1]:1", "alice"), key("[2001:db8:0:1::1]:1", "alice"), false},
		{"IPv4 in IPv6", key("[::ffff:192.0.2.1]:1", "alice"), key("192.0.2.1:1", "alice"), true},
		{"zones do not count", key("[fe80::1%eth0]:1", "alice"), key("[fe80::1%eth1]:1", "alice"), true},
		{"what is no address is one", key("pipe", "alice"), key("@", "alice"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if same := tt.a == tt.b; same != tt.same {
				t.Errorf("%v and %v: same is %v, want %v", tt.a, tt.b, same, tt.same)
			}
		})
	}
}
