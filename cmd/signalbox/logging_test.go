package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signalbox/contract/notificationhub"
)

// TestNoSecretsInLogs signs in, uses keys and tokens, right and wrong, on every transport: at the lowest level the log has
// none of them.
func TestNoSecretsInLogs(t *testing.T) {
	dir, key := shop(t)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	stderr := os.Stderr
	os.Stderr = log
	s := serve(t, dir, append(quiet, "--log-level", "debug")...)
	os.Stderr = stderr // the server has what it writes to by now
	secrets := map[string]string{key: "API key"}
	secret := func(value, what string) string {
		secrets[value] = what
		return value
	}

	s.visitor().signIn("anna", secret("a wrong password", "password"))
	anna := s.signedIn("anna", "anna")
	base, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range anna.http.Jar.Cookies(base) {
		secret(cookie.Value, "cookie "+cookie.Name)
	}
	s.backEnd(key, http.MethodGet, "/notifications?user=anna", nil, http.StatusOK)
	s.backEnd(secret(key[:len(key)-1]+"~", "wrong API key"), http.MethodGet, "/notifications?user=anna", nil, http.StatusUnauthorized)

	token := "&access_token=" + secret("an-access-token-in-a-query", "access token")
	connect := func() string {
		target := anna.negotiate()
		_, id, _ := strings.Cut(target, "id=")
		secret(id, "connection token")
		return target + token
	}
	c, _, err := anna.dial(connect())
	if err != nil {
		t.Fatal(err)
	}
	c.write(jsonHandshake + `{"type":1,` + "\x1e") // breaks the protocol
	for c.next() != "lost" {
		_ = c.ws.CloseNow()
	}
	stream := connect()
	res, err := anna.get(stream, "text/event-stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	anna.shakeHands(stream)
	poll := connect()
	anna.do(http.MethodGet, poll, "")
	anna.shakeHands(poll)
	for _, visitor := range []*visitor{anna, s.visitor(), s.signedIn("otto", "otto")} {
		for _, target := range []string{poll, stream, notificationhub.Path + "?id=" + secret("an-id-that-is-none", "id") + token} {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				visitor.do(method, target, "what is no message")
			}
		}
	}
	anna.do(http.MethodDelete, poll, "")
	s.stop()

	lines, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) {
		for value, what := range secrets {
			if strings.Contains(line, value) {
				t.Errorf("the %s is in the log: %s", what, line)
			}
		}
	}
	for _, message := range []string{"connection started", "connection failed", "connection ended", "hub=NotificationHub"} {
		if !strings.Contains(string(lines), message) {
			t.Errorf("the log has no line with %q, so that it says little:\n%s", message, lines)
		}
	}
}
