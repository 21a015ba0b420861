package torture

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// history is all that was seen of a run.
type history struct {
	publishes []publish
	stored    map[string][]entry // by user, oldest first: what the server lists at the end
	views     []view
}

// outcome is what the publisher knows of a publish.
type outcome int

const (
	unknown  outcome = iota // no answer: it may be stored, at most once
	accepted                // answered with 2xx
)

// publish is one request to publish, with all of its repetitions under one Idempotency-Key.
type publish struct {
	title        string // unique
	users        []string
	began, ended time.Duration // since the run began, by one monotonic clock
	outcome      outcome
	answer       []entry // of an accepted one, for each user
}

// entry is a notification as one user has it.
type entry struct {
	User     string `json:"user"`
	ID       string `json:"id"`
	Sequence int64  `json:"sequence"`
	Title    string `json:"title"`
}

// view is what one client has shown, in the order in which it did.
type view struct {
	client string
	user   string
	shown  []entry
}

// verdict counts what a history has of what must not be. A notification that two clients have not shown is lost twice.
type verdict struct {
	accepted, lost, doubled, outOfOrder int
	complaints                          []string // what each of them is
}

// String is the line that a run ends with.
func (v verdict) String() string {
	return fmt.Sprintf("%d accepted, %d lost, %d doubled, %d out of order", v.accepted, v.lost, v.doubled, v.outOfOrder)
}

func (v *verdict) blame(count *int, format string, args ...any) {
	*count++
	v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
}

// judge compares what was accepted with what is stored, and that with what was shown.
func (h history) judge() verdict {
	var v verdict
	published := make(map[string]publish, len(h.publishes))
	for _, p := range h.publishes {
		published[p.title] = p
		if p.outcome == accepted {
			v.accepted++
		}
		h.judgePublish(&v, p)
	}
	for _, user := range slices.Sorted(maps.Keys(h.stored)) {
		v.judgeList("the store", user, h.stored[user], published)
	}
	for _, w := range h.views {
		v.judgeList(w.client, w.user, w.shown, published)
		v.compare(w, h.stored[w.user])
	}
	return v
}

// judgePublish looks for a publish in the store: what was accepted is there as it was answered, and what may have been
// stored is there for all users or for none.
func (h history) judgePublish(v *verdict, p publish) {
	var found []string
	for _, user := range p.users {
		if slices.ContainsFunc(h.stored[user], func(e entry) bool { return e.Title == p.title }) {
			found = append(found, user)
		}
	}
	if p.outcome == unknown {
		if len(found) != 0 && len(found) != len(p.users) {
			v.blame(&v.lost, "%s, which was not answered, is stored for %q of %q", p.title, found, p.users)
		}
		return
	}
	for _, user := range p.users {
		i := slices.IndexFunc(p.answer, func(e entry) bool { return e.User == user })
		if i < 0 {
			v.blame(&v.lost, "%s was accepted without a word about %s", p.title, user)
			continue
		}
		want := p.answer[i]
		want.Title = p.title
		if !slices.Contains(h.stored[user], want) {
			v.blame(&v.lost, "%s was accepted as number %d of %s and is not stored as that", p.title, want.Sequence, user)
		}
	}
}

// judgeList looks at a list of one user's notifications by itself: each once, by id, by number and by title, the numbers
// growing, and none that began after another was answered before that.
func (v *verdict) judgeList(where, user string, list []entry, published map[string]publish) {
	ids, titles, numbers := map[string]bool{}, map[string]bool{}, map[int64]bool{}
	var last int64
	var latest publish // of those before, the one that began last
	for _, e := range list {
		if e.User != user {
			v.blame(&v.lost, "%s has %s of %s among those of %s", where, e.Title, e.User, user)
		}
		if ids[e.ID] || titles[e.Title] || numbers[e.Sequence] {
			v.blame(&v.doubled, "%s has %s, number %d of %s, twice", where, e.Title, e.Sequence, user)
			continue
		}
		ids[e.ID], titles[e.Title], numbers[e.Sequence] = true, true, true
		p := published[e.Title]
		switch {
		case e.Sequence < last:
			v.blame(&v.outOfOrder, "%s has number %d of %s after number %d", where, e.Sequence, user, last)
		case p.outcome == accepted && p.ended < latest.began:
			v.blame(&v.outOfOrder, "%s has %s of %s after %s, which began when that had been answered",
				where, e.Title, user, latest.title)
		}
		last = max(last, e.Sequence)
		if p.began > latest.began {
			latest = p
		}
	}
}

// compare looks for what a client has not shown, and for what it has shown and nobody keeps.
func (v *verdict) compare(w view, stored []entry) {
	for _, e := range stored {
		if !slices.Contains(w.shown, e) {
			v.blame(&v.lost, "%s has not shown %s, number %d of %s", w.client, e.Title, e.Sequence, w.user)
		}
	}
	for _, e := range w.shown {
		if !slices.Contains(stored, e) {
			v.blame(&v.lost, "%s has shown %s, number %d of %s, which is not stored", w.client, e.Title, e.Sequence, w.user)
		}
	}
}
