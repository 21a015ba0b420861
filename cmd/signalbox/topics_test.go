package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox"
)

func TestParseTopics(t *testing.T) {
	for _, test := range []struct {
		name string
		list []string
		want signalbox.Topics
	}{
		{"none", nil, signalbox.Topics{}},
		{"everyone", []string{"news=everyone"}, signalbox.Topics{"news": {Everyone: true}}},
		{"a role", []string{"ops=role:staff"}, signalbox.Topics{"ops": {Roles: []string{"staff"}}}},
		{"roles", []string{"ops=role:staff,admin"}, signalbox.Topics{"ops": {Roles: []string{"staff", "admin"}}}},
		{"blanks around names", []string{"ops=role: staff , admin,"}, signalbox.Topics{"ops": {Roles: []string{"staff", "admin"}}}},
		{"a blank inside a name", []string{"ops=role:Night Shift"}, signalbox.Topics{"ops": {Roles: []string{"Night Shift"}}}},
		{"users, by their ids", []string{"board=user:Anna,otto"}, signalbox.Topics{"board": {Users: []string{"anna", "otto"}}}},
		{"a colon in a name", []string{"ops=role:a:b"}, signalbox.Topics{"ops": {Roles: []string{"a:b"}}}},
		{"a topic with a blank", []string{"big news=everyone"}, signalbox.Topics{"big news": {Everyone: true}}},
		{"several", []string{"news=everyone", "ops=role:staff"},
			signalbox.Topics{"news": {Everyone: true}, "ops": {Roles: []string{"staff"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseTopics(test.list)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTopicsRefuses(t *testing.T) {
	for _, test := range []struct {
		name, want string // part of the error
		list       []string
	}{
		{"no rule", `topic "news" has no rule`, []string{"news"}},
		{"an empty rule", `topic "news" has no rule`, []string{"news="}},
		{"no rule behind a topic with one", `topic "ops" has no rule`, []string{"news=everyone", "ops"}},
		{"an unknown rule", `the rule "nobody" is none`, []string{"news=nobody"}},
		{"everyone and more", `the rule "everyone:x" is none`, []string{"news=everyone:x"}},
		{"a rule in capitals", `the rule "Everyone" is none`, []string{"news=Everyone"}},
		{"no role", `the rule "role" is none`, []string{"news=role"}},
		{"an empty role", `the rule "role: , " is none`, []string{"news=role: , "}},
		{"no user", `the rule "user:" is none`, []string{"news=user:"}},
		{"no name", "must not be empty", []string{"=everyone"}},
		{"nothing", "has no rule", []string{""}},
		{"a name that begins with a blank", "begin or end with a blank", []string{" news=everyone"}},
		{"twice", `topic "news" is given twice`, []string{"news=everyone", "news=role:staff"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if topics, err := parseTopics(test.list); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, error %v; want one with %q", topics, err, test.want)
			}
		})
	}
}
