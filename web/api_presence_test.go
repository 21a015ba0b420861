package web_test

import (
	"fmt"
	"net/http"
	"testing"

	"signalbox"
)

func TestGetPresence(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	s.presence.Users = map[string][]string{"alice": {"c1", "c2"}}
	_, answer := a.call(http.MethodGet, "/presence/alice", "")
	equal(t, answer, `{"user":"alice","online":true,"connections":["c1","c2"],"partial":false}`)
	_, answer = a.call(http.MethodGet, "/presence/bob", "")
	equal(t, answer, `{"user":"bob","online":false,"connections":[],"partial":false}`)

	s.presence.Err = fmt.Errorf("%w: Redis is away", signalbox.ErrPresencePartial)
	_, answer = a.call(http.MethodGet, "/presence/alice", "")
	equal(t, answer, `{"user":"alice","online":true,"connections":["c1","c2"],"partial":true}`)

	a.refused(http.MethodGet, "/presence/mallory", "", http.StatusNotFound, "")
	a.refused(http.MethodGet, "/presence/alice?node=1", "", http.StatusBadRequest, "node")
	s.presence.Err = errBroken
	a.refused(http.MethodGet, "/presence/alice", "", http.StatusInternalServerError, "")
}

func TestListPresence(t *testing.T) {
	s := newSite(t, nil, nil)
	a := s.api()
	_, answer := a.call(http.MethodGet, "/presence", "")
	equal(t, answer, `{"users":[],"online":0,"connections":0,"partial":false}`)

	s.presence.Users = map[string][]string{"alice": {"c1", "c2"}, "bob": {"c3"}, "carol": {"c4"}}
	for query, users := range map[string]string{
		"":                    `[{"user":"alice","connections":2},{"user":"bob","connections":1},{"user":"carol","connections":1}]`,
		"?limit=2":            `[{"user":"alice","connections":2},{"user":"bob","connections":1}]`,
		"?after=bob&limit=2":  `[{"user":"carol","connections":1}]`,
		"?after=carol":        `[]`,
		"?after=alice&limit=": `[{"user":"bob","connections":1},{"user":"carol","connections":1}]`,
	} {
		_, answer := a.call(http.MethodGet, "/presence"+query, "")
		equal(t, answer, `{"users":`+users+`,"online":3,"connections":4,"partial":false}`)
	}
	s.presence.Err = signalbox.ErrPresencePartial
	if _, answer := a.call(http.MethodGet, "/presence?limit=1", ""); answer["partial"] != true {
		t.Errorf("answered %v, want that it is partial", answer)
	}
	for query, field := range map[string]string{
		"?limit=0": "limit", "?limit=201": "limit", "?limit=x": "limit", "?before=x": "before", "?after=a&after=b": "after",
	} {
		a.refused(http.MethodGet, "/presence"+query, "", http.StatusBadRequest, field)
	}
	s.presence.Err = errBroken
	a.refused(http.MethodGet, "/presence", "", http.StatusInternalServerError, "")
}
