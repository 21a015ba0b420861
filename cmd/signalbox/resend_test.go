package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/signalr/redisbackplane"
)

// fakeBackplane is a hub's backplane whose Redis goes and comes as a test says.
type fakeBackplane struct {
	farm *backplanes
	away atomic.Bool
}

func (b *fakeBackplane) Healthy() bool               { return !b.away.Load() }
func (b *fakeBackplane) Close(context.Context) error { return nil }

func (b *fakeBackplane) goes() {
	b.away.Store(true)
	b.farm.changed(redisbackplane.StateChange{From: redisbackplane.Connected, To: redisbackplane.Disconnected})
}

func (b *fakeBackplane) comes() {
	b.away.Store(false)
	b.farm.changed(redisbackplane.StateChange{From: redisbackplane.Disconnected, To: redisbackplane.Connected})
}

// begins reaches Redis for the first time.
func (b *fakeBackplane) begins() {
	b.farm.changed(redisbackplane.StateChange{From: redisbackplane.Connecting, To: redisbackplane.Connected})
}

// TestOutagesAreMadeGoodOnce: however many hubs notice that Redis was away, what was missed is sent again once, when
// the last of them is back, and from when the first of them lost it.
func TestOutagesAreMadeGoodOnce(t *testing.T) {
	// at calls do so long after the test began; seconds are what the rows are told in.
	type at struct {
		second int
		do     func(notifications, orders *fakeBackplane)
	}
	for name, row := range map[string]struct {
		events []at
		fails  bool
		want   []resending
	}{
		"nothing happens": {},
		"both hubs lose it": {events: []at{
			{100, func(n, _ *fakeBackplane) { n.goes() }},
			{103, func(_, o *fakeBackplane) { o.goes() }},
			{130, func(n, _ *fakeBackplane) { n.comes() }},
			{132, func(_, o *fakeBackplane) { o.comes() }},
		}, want: []resending{{132, 100}}},
		"both are back at one moment": {events: []at{
			{100, func(n, o *fakeBackplane) { n.goes(); o.goes() }},
			{130, func(n, o *fakeBackplane) { n.comes(); o.comes() }},
		}, want: []resending{{130, 100}}},
		"one of them alone loses it": {events: []at{
			{100, func(n, _ *fakeBackplane) { n.goes() }},
			{110, func(n, _ *fakeBackplane) { n.comes() }},
		}, want: []resending{{110, 100}}},
		"the first goes again before the second is back": {events: []at{
			{100, func(n, o *fakeBackplane) { n.goes(); o.goes() }},
			{110, func(n, _ *fakeBackplane) { n.comes() }},
			{115, func(n, _ *fakeBackplane) { n.goes() }},
			{120, func(_, o *fakeBackplane) { o.comes() }},
			{140, func(n, _ *fakeBackplane) { n.comes() }},
		}, want: []resending{{140, 100}}},
		"connections came before it was reached for the first time": {events: []at{
			{7, func(n, _ *fakeBackplane) { n.begins() }},
		}, want: []resending{{7, 7}}},
		"two outages": {events: []at{
			{100, func(n, o *fakeBackplane) { n.goes(); o.goes() }},
			{110, func(n, o *fakeBackplane) { n.comes(); o.comes() }},
			{500, func(n, o *fakeBackplane) { n.goes(); o.goes() }},
			{530, func(n, o *fakeBackplane) { n.comes(); o.comes() }},
		}, want: []resending{{110, 100}, {530, 500}}},
		"sending again fails": {fails: true, events: []at{
			{100, func(n, _ *fakeBackplane) { n.goes() }},
			{110, func(n, _ *fakeBackplane) { n.comes() }},
			{200, func(_, o *fakeBackplane) { o.goes() }},
			{210, func(_, o *fakeBackplane) { o.comes() }},
		}, want: []resending{{110, 100}, {210, 200}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				farm := &backplanes{back: make(chan struct{}, 1)}
				notifications, orders := &fakeBackplane{farm: farm}, &fakeBackplane{farm: farm}
				farm.hubs = []backplane{notifications, orders}
				ctx, cancel := context.WithCancel(t.Context())
				var got []resending
				ended := make(chan error)
				go func() {
					ended <- farm.Run(ctx, func(_ context.Context, since time.Time) error {
						if !farm.behind() {
							t.Error("events are sent though something was missed before them")
						}
						got = append(got, resending{
							at:    int(time.Since(began).Seconds()),
							since: int(since.Add(resendBehind).Sub(began).Seconds()),
						})
						if row.fails {
							return errors.New("the database is away, too")
						}
						return nil
					}, slog.New(slog.DiscardHandler))
				}()
				for _, e := range row.events {
					time.Sleep(time.Until(began.Add(time.Duration(e.second) * time.Second)))
					e.do(notifications, orders)
					if back := !farm.away() && farm.lost.Load() != 0; back && !farm.behind() {
						t.Error("events are sent though something was missed")
					}
				}
				time.Sleep(time.Hour)
				if farm.behind() {
					t.Error("events are held back for ever")
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(row.want, got, cmp.AllowUnexported(resending{})); diff != "" {
					t.Errorf("what was missed is sent again (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// resending is when what was missed was sent again, and since when something may have been missed, without what is
// added to be sure: in seconds since a test began.
type resending struct{ at, since int }
