package main

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withoutVariables runs the test without the variables that the machine may have set.
func withoutVariables(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "SIGNALBOX_") {
			t.Setenv(name, value) // puts it back in the end
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// oneOff are the flags that are said to one command alone: a variable would say them to every run of it.
var oneOff = []string{"role", "password-stdin", "limit", "all", "none", "orders-to", "wait"}

// TestEveryFlagIsAVariable goes through every command's flags: each but the one-off ones must have a variable named for
// it and no other, and setting either must come to the same.
func TestEveryFlagIsAVariable(t *testing.T) {
	withoutVariables(t)
	values := map[string]string{
		"listen": "127.0.0.1:99", "data": "/elsewhere", "demo": "true", "topic": "news=everyone;ops=role:a,b", "secure-cookies": "true",
		"origin": "https://a.example,https://b.example", "order-interval": "1m", "order-retry": "2m", "poll-interval": "3m",
		"drain-delay": "4m", "drain-rate": "5", "drain-timeout": "6m", "pid-file": "/elsewhere.pid", "wait": "7m",
		"redis-url": "redis://cache.example:6379", "metrics-listen": "127.0.0.1:9", "log-level": "debug", "role": "staff,admin", "password-stdin": "true",
		"database-url": "postgres://db.example/signalbox", "keep-notifications": "90d,1000", "limit": "7", "all": "true", "none": "true", "orders-to": "otto",
		"redis-loss": "unready", "internal-listen": "127.0.0.1:98", "internal-address": "10.0.0.1:98", "farm-key-file": keyFile(t, goodKey),
	}
	used := map[string]bool{}
	for command, args := range map[string][]string{
		"serve": {"serve"}, "user add": {"user", "add", "anna"}, "user roles": {"user", "roles", "anna"},
		"user unsubscribe": {"user", "unsubscribe", "anna", "news"}, "order give": {"order", "give", "1", "anna"}, "key create": {"key", "create"},
		"outbox list": {"outbox", "list"}, "outbox replay": {"outbox", "replay"}, "migrate": {"migrate"}, "backup": {"backup", "/file"},
		"drain": {"drain"}, "user list": {"user", "list"}, "user password": {"user", "password", "anna"},
		"user remove": {"user", "remove", "anna"}, "key list": {"key", "list"}, "key revoke": {"key", "revoke", "1"},
	} {
		var byDefault cli
		parsed, err := parse(t.Context(), args, &byDefault)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range parsed.Selected().Flags {
			t.Run(command+" --"+flag.Name, func(t *testing.T) {
				variable := "SIGNALBOX_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
				alone := slices.Contains(oneOff, flag.Name)
				if alone && len(flag.Envs) > 0 {
					t.Errorf("it has the variables %q", flag.Envs)
				} else if !alone && !slices.Equal(flag.Envs, []string{variable}) {
					t.Errorf("its variables are %q, want %s", flag.Envs, variable)
				}
				value, ok := values[flag.Name]
				if !ok {
					t.Fatal("the test has no value for it")
				}
				used[flag.Name] = true
				var byFlag, byVariable cli
				if _, err := parse(t.Context(), append(slices.Clone(args), "--"+flag.Name+"="+value), &byFlag); err != nil {
					t.Fatal(err)
				}
				t.Setenv(variable, value)
				if _, err := parse(t.Context(), args, &byVariable); err != nil {
					t.Fatal(err)
				}
				all := cmp.Exporter(func(reflect.Type) bool { return true })
				want := byFlag
				if alone {
					want = byDefault
				}
				if diff := cmp.Diff(want.of(command), byVariable.of(command), all); diff != "" {
					t.Errorf("(-flag +variable):\n%s", diff)
				}
				if cmp.Equal(byDefault.of(command), byFlag.of(command), all) {
					t.Error("it changes nothing")
				}
			})
		}
	}
	for name := range values {
		if !used[name] {
			t.Errorf("there is no flag --%s any more", name)
		}
	}
}

// of returns the part of c that is a command's.
func (c *cli) of(command string) any {
	switch command {
	case "serve":
		return c.Serve
	case "user add":
		return c.User.Add
	case "user roles":
		return c.User.Roles
	case "user unsubscribe":
		return c.User.Unsubscribe
	case "order give":
		return c.Order.Give
	case "outbox list":
		return c.Outbox.List
	case "outbox replay":
		return c.Outbox.Replay
	case "migrate":
		return c.Migrate
	case "backup":
		return c.Backup
	case "drain":
		return c.Drain
	case "user list":
		return c.User.List
	case "user password":
		return c.User.Password
	case "user remove":
		return c.User.Remove
	case "key list":
		return c.Key.List
	case "key revoke":
		return c.Key.Revoke
	default:
		return c.Key.Create
	}
}

func TestCommandLineRefuses(t *testing.T) {
	withoutVariables(t)
	for _, test := range []struct {
		name, want string // part of the error
		args       []string
	}{
		{"no command", `expected one of "serve", "user", "key"`, nil},
		{"an unknown command", `unexpected argument server`, []string{"server"}},
		{"an unknown flag", "unknown flag --lissten", []string{"serve", "--lissten", "127.0.0.1:0"}},
		{"another command's flag", "unknown flag --listen", []string{"key", "create", "--listen", "127.0.0.1:0"}},
		{"an argument too many", "unexpected argument now", []string{"serve", "now"}},
		{"no duration", "--order-interval", []string{"serve", "--order-interval", "soon"}},
		{"no level", "--log-level", []string{"serve", "--log-level", "loud"}},
		{"user without add", `expected one of "add"`, []string{"user"}},
		{"no retention", "neither an age", []string{"serve", "--keep-notifications", "90x"}},
		{"two ages", "neither an age", []string{"serve", "--keep-notifications", "90d,36h"}},
		{"nothing to drain", "--pid-file is needed", []string{"drain"}},
		{"no dead letters to replay", "name the events", []string{"outbox", "replay"}},
		{"some roles and none", "--none", []string{"user", "roles", "anna", "staff", "--none"}},
		{"a negative order interval", "--order-interval must not be negative", []string{"serve", "--order-interval=-1s"}},
		{"a negative order retry", "--order-retry must not be negative", []string{"serve", "--order-retry=-5s"}},
		{"a negative poll interval", "--poll-interval must not be negative", []string{"serve", "--poll-interval=-1s"}},
		{"a negative delay", "--drain-delay must not be negative", []string{"serve", "--drain-delay=-1s"}},
		{"a negative wait", "--wait must not be negative", []string{"drain", "--wait=-1s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := run(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	t.Run("a variable", func(t *testing.T) {
		t.Setenv("SIGNALBOX_ORDER_RETRY", "soon")
		if err := run(t.Context(), []string{"serve"}); err == nil || !strings.Contains(err.Error(), "SIGNALBOX_ORDER_RETRY") {
			t.Errorf("error %v, want one about the variable", err)
		}
	})
}
