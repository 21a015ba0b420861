package torture

import (
	"slices"
	"testing"
	"time"
)

// sound is a history without fault: two users, of whom anna has two clients, and a publish without an answer.
func sound() history {
	a1 := entry{"anna", "1", 1, "p1"}
	a2, o1 := entry{"anna", "2", 2, "p2"}, entry{"otto", "3", 1, "p2"}
	a3 := entry{"anna", "4", 3, "p3"}
	return history{
		publishes: []publish{
			{"p1", []string{"anna"}, 1 * time.Second, 2 * time.Second, accepted, []entry{{"anna", "1", 1, ""}}},
			{"p2", []string{"anna", "otto"}, 3 * time.Second, 6 * time.Second, accepted, []entry{{"anna", "2", 2, ""}, {"otto", "3", 1, ""}}},
			{"p3", []string{"anna"}, 4 * time.Second, 5 * time.Second, unknown, nil},
			{"p4", []string{"anna", "otto"}, 6 * time.Second, 7 * time.Second, unknown, nil},
		},
		stored: map[string][]entry{"anna": {a1, a2, a3}, "otto": {o1}},
		views: []view{
			{"client 0", "anna", []entry{a1, a2, a3}}, {"client 1", "anna", []entry{a1, a2, a3}}, {"client 2", "otto", []entry{o1}},
		},
	}
}

// TestJudge spoils a sound history in each way that there is.
func TestJudge(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(h *history)
		want  string
	}{
		"sound": {func(*history) {}, "2 accepted, 0 lost, 0 doubled, 0 out of order"},
		"not shown": {func(h *history) { h.views[1].shown = h.views[1].shown[:2] },
			"2 accepted, 1 lost, 0 doubled, 0 out of order"},
		"not shown by anybody": {func(h *history) { h.views[0].shown, h.views[1].shown = nil, nil },
			"2 accepted, 6 lost, 0 doubled, 0 out of order"},
		"not stored though accepted and shown": {func(h *history) { h.stored["otto"] = nil },
			"2 accepted, 2 lost, 0 doubled, 0 out of order"},
		"stored as another than was answered": {func(h *history) { h.publishes[0].answer[0].ID = "9" },
			"2 accepted, 1 lost, 0 doubled, 0 out of order"},
		"accepted without a user": {func(h *history) { h.publishes[1].answer = h.publishes[1].answer[:1] },
			"2 accepted, 1 lost, 0 doubled, 0 out of order"},
		"stored for one of two users": {func(h *history) {
			e := entry{"otto", "5", 2, "p4"}
			h.stored["otto"] = append(h.stored["otto"], e)
			h.views[2].shown = append(h.views[2].shown, e)
		}, "2 accepted, 1 lost, 0 doubled, 0 out of order"},
		"shown twice": {func(h *history) { h.views[2].shown = append(h.views[2].shown, h.views[2].shown[0]) },
			"2 accepted, 0 lost, 1 doubled, 0 out of order"},
		"stored twice": {func(h *history) {
			e := entry{"otto", "5", 2, "p2"}
			h.stored["otto"] = append(h.stored["otto"], e)
			h.views[2].shown = append(h.views[2].shown, e)
		}, "2 accepted, 0 lost, 2 doubled, 0 out of order"},
		"a number given twice": {func(h *history) {
			h.stored["otto"] = append(h.stored["otto"], entry{"otto", "5", 1, "p5"})
			h.views[2].shown = slices.Clone(h.stored["otto"])
		}, "2 accepted, 0 lost, 2 doubled, 0 out of order"},
		"shown in another order": {func(h *history) {
			s := h.views[0].shown
			s[1], s[2] = s[2], s[1]
		}, "2 accepted, 0 lost, 0 doubled, 1 out of order"},
		"numbered in another order than published": {func(h *history) {
			h.publishes[0].began, h.publishes[0].ended = 8*time.Second, 9*time.Second
			h.publishes[1].ended = 3 * time.Second
		}, "2 accepted, 0 lost, 0 doubled, 3 out of order"}, // in the store and in two views
		"shown to somebody else": {func(h *history) { h.views[2].shown = append(h.views[2].shown, h.views[0].shown[0]) },
			"2 accepted, 2 lost, 1 doubled, 0 out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			h := sound()
			row.spoil(&h)
			if v := h.judge(); v.String() != row.want {
				t.Errorf("got %s\nwant %s\n%q", v, row.want, v.complaints)
			}
		})
	}
}
