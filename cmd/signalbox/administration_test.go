package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"signalbox"
	"signalbox/contract/notificationhub"
	"signalbox/contract/orderhub"
)

// TestKeysAreListedAndRevoked revokes keys of one name while a server runs.
func TestKeysAreListedAndRevoked(t *testing.T) {
	dir, first := shop(t)
	second := strings.TrimSpace(must(t, "", "key", "create", "shop", "--data", dir))
	third := strings.TrimSpace(must(t, "", "key", "create", "shop", "--data", dir))
	s := serve(t, dir, quiet...)
	use := func(key string, status int) {
		t.Helper()
		s.backEnd(key, http.MethodGet, "/notifications?user=anna", nil, status)
	}
	use(first, http.StatusOK)
	use(second, http.StatusOK)

	printed := must(t, "", "key", "list", "--data", dir)
	const at = `\d{4}-\d\d-\d\dT[\d:]+Z`
	line := regexp.MustCompile(`^([A-Z2-7]{26})\tshop\tcreated ` + at + `\t(last used ` + at + `|never used)$`)
	var ids, used []string
	for l := range strings.Lines(printed) {
		match := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if match == nil {
			t.Fatalf("printed %q", printed)
		}
		ids, used = append(ids, match[1]), append(used, match[2])
	}
	if len(ids) != 3 || used[0] == "never used" || used[1] == "never used" || used[2] != "never used" {
		t.Fatalf("printed %q, want three keys, of which the last was not used", printed)
	}
	if strings.Contains(printed, "sbk_") {
		t.Errorf("printed %q", printed)
	}

	if printed, want := must(t, "", "key", "revoke", ids[0], "--data", dir), "revoked "+ids[0]+"\tshop\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
	use(first, http.StatusUnauthorized)
	use(second, http.StatusOK)
	// Of a key that has leaked the key itself may be all that is known.
	if printed, want := must(t, "", "key", "revoke", second, "--data", dir), "revoked "+ids[1]+"\tshop\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
	use(second, http.StatusUnauthorized)
	use(third, http.StatusOK)
	for _, id := range []string{ids[0], second, "shop"} {
		if printed, err := command(t, "", "key", "revoke", id, "--data", dir); err == nil || printed != "" {
			t.Errorf("revoking %s: printed %q, %v", id, printed, err)
		}
	}
}

// TestUserListAndRoles shows what is printed of users, and how roles are given.
func TestUserListAndRoles(t *testing.T) {
	dir := t.TempDir()
	must(t, "", "user", "add", "Otto Bell", "--data", dir)
	must(t, "", "user", "add", "anna", "--role", "staff,admin", "--data", dir)
	want := regexp.MustCompile(`^anna\tadmin,staff\tcreated \S+Z\nOtto Bell\tno roles\tcreated \S+Z\n$`)
	if printed := must(t, "", "user", "list", "--data", dir); !want.MatchString(printed) {
		t.Errorf("printed %q", printed)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "admin,staff\n"}, // asking changes nothing
		{nil, "admin,staff\n"},
		{[]string{"a,b", "c"}, "a,b,c\n"},
		{[]string{"d"}, "d\n"},
		{[]string{"--none"}, "no roles\n"},
	} {
		if test.args != nil {
			if printed := must(t, "", append([]string{"user", "roles", "Anna", "--data", dir}, test.args...)...); printed != "" {
				t.Errorf("%q printed %q", test.args, printed)
			}
		}
		if printed := must(t, "", "user", "roles", "anna", "--data", dir); printed != test.want {
			t.Errorf("after %q: printed %q, want %q", test.args, printed, test.want)
		}
	}
	if _, err := command(t, "", "user", "roles", "anna", "a,", "--data", dir); err == nil {
		t.Error("an empty role was given")
	}
}

// TestSignedOut gives a user who is signed in and connected another password, and removes another.
func TestSignedOut(t *testing.T) {
	dir, key := shop(t)
	must(t, "tina\n", "user", "add", "tina", "--password-stdin", "--data", dir)
	s := serve(t, dir, quiet...)
	signedIn := map[string]*visitor{}
	connected := map[string][]*client{}
	for _, name := range []string{"anna", "otto", "tina"} {
		signedIn[name] = s.signedIn(name, name)
		for _, path := range []string{notificationhub.Path, orderhub.Path} {
			c := signedIn[name].connect(path)
			if path == notificationhub.Path {
				c.want(event("UnreadCountUpdated", 0))
			}
			connected[name] = append(connected[name], c)
		}
	}
	isOut := func(name string, out bool) {
		t.Helper()
		status, message := http.StatusOK, "Method does not exist"
		if out {
			status, message = http.StatusSeeOther, `{"type":7,"allowReconnect":true}`
		}
		for _, c := range connected[name] {
			got := ""
			if out {
				got = c.next()
			} else {
				got = c.call("Fence")
			}
			if !strings.Contains(got, message) {
				t.Errorf("%s got %s, want %s", name, got, message)
			}
		}
		if res, _ := signedIn[name].do(http.MethodGet, "/orders", ""); res.StatusCode != status {
			t.Errorf("%s is answered %s, want %d", name, res.Status, status)
		}
	}
	if _, _, err := open(t, dir).ChangeOrder(t.Context(), signalbox.OrderChange{ID: "7", OwnerID: "otto"}); err != nil {
		t.Fatal(err)
	}
	idle(t, dir)

	match := regexp.MustCompile(`^user      anna\npassword  ([A-Z2-7]{26})\n$`).FindStringSubmatch(
		must(t, "", "user", "password", "Anna", "--data", dir))
	if match == nil {
		t.Fatal("no password was printed")
	}
	isOut("anna", true)
	if status := s.visitor().signIn("anna", "anna"); status == http.StatusSeeOther {
		t.Error("the old password still signs in")
	}
	s.signedIn("anna", match[1])
	printed := must(t, "in words\n", "user", "password", "anna", "--password-stdin", "--data", dir)
	if printed != "user      anna\n" {
		t.Errorf("printed %q", printed)
	}
	s.signedIn("anna", "in words")

	_, err := command(t, "", "user", "remove", "otto", "--data", dir)
	if err == nil || !strings.Contains(err.Error(), "--orders-to") {
		t.Errorf("removing who has orders: %v", err)
	}
	isOut("otto", false)
	must(t, "", "user", "remove", "Otto", "--orders-to", "Tina", "--data", dir)
	isOut("otto", true)
	if status := s.visitor().signIn("otto", "otto"); status == http.StatusSeeOther {
		t.Error("who was removed signs in")
	}
	if o := s.backEnd(key, http.MethodGet, "/orders/7", nil, http.StatusOK); o["owner"] != "tina" {
		t.Errorf("the order is %v", o)
	}
	isOut("tina", false)
}

// TestNoDatabase names a folder that has no database to the commands that need one.
func TestNoDatabase(t *testing.T) {
	for _, args := range [][]string{
		{"backup", filepath.Join(t.TempDir(), "b.db")},
		{"outbox", "list"}, {"outbox", "replay", "--all"}, {"order", "give", "1", "anna"},
		{"user", "list"}, {"user", "roles", "anna"}, {"user", "roles", "anna", "staff"},
		{"user", "unsubscribe", "anna", "news"},
		{"user", "password", "anna"}, {"user", "remove", "anna"}, {"key", "list"}, {"key", "revoke", "x"},
	} {
		dir := t.TempDir()
		for _, folder := range []string{dir, filepath.Join(dir, "wrong")} {
			printed, err := command(t, "", append(args, "--data", folder)...)
			if err == nil || printed != "" ||
				!strings.Contains(err.Error(), "there is no database") || !strings.Contains(err.Error(), folder) {
				t.Errorf("%q: printed %q, %v", args, printed, err)
			}
		}
		if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
			t.Errorf("%q made %v, %v", args, made, err)
		}
		if args[0] == "backup" {
			if _, err := os.Stat(args[1]); err == nil {
				t.Error("there is a backup of nothing")
			}
		}
	}
}

func TestVersion(t *testing.T) {
	want := regexp.MustCompile(`^signalbox \S.* ` + regexp.QuoteMeta(runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH) + `\n$`)
	if printed := must(t, "", "version"); !want.MatchString(printed) {
		t.Errorf("printed %q", printed)
	}
	if printed, err := program(t, "--version").Output(); err != nil || !want.Match(printed) {
		t.Errorf("printed %q, %v", printed, err)
	}
	suffix := " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}
	for want, info := range map[string]*debug.BuildInfo{
		"signalbox devel":                           {},
		"signalbox v1.2.3":                          {Main: debug.Module{Version: "v1.2.3"}},
		"signalbox devel revision abc with changes": {Main: debug.Module{Version: "(devel)"}, Settings: revision},
		"signalbox v2.0.0 revision abc":             {Main: debug.Module{Version: "v2.0.0"}, Settings: revision[:1]},
	} {
		if got := describe(info); got != want+suffix {
			t.Errorf("got %q, want %q", got, want+suffix)
		}
	}
}

// TestMissingScriptIsSaid shows the warning, and that a server gives it if its pages have no script.
func TestMissingScriptIsSaid(t *testing.T) {
	const warning = "built without the pages' script"
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	warnWithoutScript(log, true)
	if text.Len() > 0 {
		t.Errorf("logged %s", text.String())
	}
	warnWithoutScript(log, false)
	if !strings.Contains(text.String(), "level=WARN") || !strings.Contains(text.String(), warning) {
		t.Errorf("logged %s", text.String())
	}

	name := filepath.Join(t.TempDir(), "log")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stderr := os.Stderr
	os.Stderr = file
	s := serve(t, t.TempDir(), "--log-level", "warn")
	os.Stderr = stderr // the server has what it writes to by now
	res, _ := s.visitor().do(http.MethodGet, "/static/dist/app.js", "")
	s.stop()
	logged, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if missing := res.StatusCode != http.StatusOK; strings.Contains(string(logged), warning) != missing {
		t.Errorf("the script is answered %s, and the log has %q", res.Status, logged)
	}
}

// TestSignOutEndsConnections signs a user out in one browser who is signed in with another, too.
func TestSignOutEndsConnections(t *testing.T) {
	dir, _ := shop(t)
	s := serve(t, dir, quiet...)
	leaves, stays := s.signedIn("anna", "anna"), s.signedIn("anna", "anna")
	var connected []*client
	for _, v := range []*visitor{leaves, stays} {
		connected = append(connected, v.connect(orderhub.Path))
	}
	if res, _ := leaves.do(http.MethodPost, "/signout", ""); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("signing out was answered %s", res.Status)
	}
	for _, c := range connected {
		c.want(`{"type":7,"allowReconnect":true}`)
	}
	if c, res, err := leaves.dial(orderhub.Path); err == nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("who has signed out connects again: %v, %v", c, err)
	}
	stays.connect(orderhub.Path)
}
