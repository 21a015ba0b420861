package httpconn

import (
	"slices"
	"sync/atomic"
	"time"
)

// A connection that talks all the time is hot: whoever reads its socket also runs the calls that come. Waking a worker for
// each, and being woken by it, is a third of what a small call costs. Three things keep that from doing harm:
//
//   - Only calls of which one at a time may run are run so (ShortTask): there is next to nothing to read meanwhile.
//   - A watch looks every 10 ms at the readers that are hot. Where one is found three times in the same call, reading goes on
//     without it, and the connection has to show for long that its calls are short again.
//   - A connection that is silent for a second is hot no more: its reader goes, and with it what its stack has grown to,
//     unless the socket always needs a reader.

// ShortTask is a Task that may say of itself that little is lost while it keeps the connection from being read.
type ShortTask interface {
	Task
	Short() bool
}

const (
	hotStreak     = 16    // reads, one soon after the other, that make a connection hot
	slowStreak    = -1000 // where the count begins again after a call that was not short
	soon          = 100   // ms
	watchInterval = 10 * time.Millisecond
	coolLooks     = int(time.Second / watchInterval)
	slowLooks     = 3 // that find a reader in the same call; it may also be waiting for a processor
)

// hotReader is what a hot connection's reader and the watch share.
type hotReader struct {
	d     *wsDriver
	state atomic.Uint32
	// The watch's alone: for how many looks nothing has come, and how many have found the same call.
	idle, seen int
}

// The states of a hotReader.
const (
	hotFree     uint32 = iota // reading, or waiting for that
	hotUsed                   // free, after a call since the watch last looked
	hotBusy                   // in a call
	hotSeen                   // in a call in which the watch has seen it
	hotReplaced               // in a call, and somebody else reads
	hotCold                   // over
)

// begin says whether the reader may run t. What was written before it is seen by whoever takes the reader's place.
func (h *hotReader) begin(t Task) bool {
	short, ok := t.(ShortTask)
	return ok && short.Short() && (h.state.CompareAndSwap(hotUsed, hotBusy) || h.state.CompareAndSwap(hotFree, hotBusy))
}

// end says whether the reader is still the one.
func (h *hotReader) end() bool {
	return h.state.CompareAndSwap(hotBusy, hotUsed) || h.state.CompareAndSwap(hotSeen, hotUsed)
}

// cold says whether the connection is hot no more.
func (h *hotReader) cold() bool { return h.state.Load() == hotCold }

// look is what the watch does with a reader. At most one of the answers is true, and then it is the last.
func (h *hotReader) look() (replace, cool bool) {
	switch h.state.Load() {
	case hotUsed:
		h.idle = 0
		h.state.CompareAndSwap(hotUsed, hotFree)
	case hotFree:
		h.idle++
		return false, h.idle >= coolLooks && h.state.CompareAndSwap(hotFree, hotCold)
	case hotBusy:
		h.seen = 1
		h.state.CompareAndSwap(hotBusy, hotSeen)
	case hotSeen:
		h.seen++
		return h.seen >= slowLooks && h.state.CompareAndSwap(hotSeen, hotReplaced), false
	}
	return false, false
}

// heated returns the hotReader of a connection that is hot, for the goroutine that always reads it.
func (d *wsDriver) heated() *hotReader {
	if d.raw == nil && d.hot != nil && d.hot.cold() {
		d.hot, d.streak = nil, 0
	}
	if d.hot == nil && !d.noteRead() {
		return nil
	}
	d.hot.state.CompareAndSwap(hotFree, hotUsed) // whatever comes keeps it hot
	return d.hot
}

// noteRead counts a read, by the reader's side, and says whether the connection has become hot.
func (d *wsDriver) noteRead() bool {
	now := uint32(d.c.mgr.now() / Instant(time.Millisecond)) // wraps around, which does not matter
	if now-d.lastRead > soon {
		d.streak = min(d.streak, 0)
	}
	d.lastRead = now
	d.streak = min(d.streak+1, hotStreak)
	return d.streak == hotStreak && d.c.mgr.heat(d)
}

// heat makes a connection hot, unless the server is going down.
func (m *Manager) heat(d *wsDriver) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return false
	}
	d.hot = &hotReader{d: d}
	m.hot = append(m.hot, d.hot)
	if d.raw != nil {
		m.workers.enter() // for readHot
	}
	if !m.watching {
		m.watching = true
		m.tickers.Go(m.watch)
	}
	return true
}

// watch runs while there are hot connections.
func (m *Manager) watch() {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-m.stop:
			return
		}
		var replaced, cooled []*wsDriver
		m.mu.Lock()
		m.hot = slices.DeleteFunc(m.hot, func(h *hotReader) bool {
			replace, cool := h.look()
			switch {
			case replace:
				replaced = append(replaced, h.d)
			case cool:
				cooled = append(cooled, h.d)
			}
			return replace || cool // one whose connection is over cools like others
		})
		if len(m.hot) == 0 {
			m.hot, m.watching = nil, false
		}
		last := !m.watching
		m.mu.Unlock()
		for _, d := range replaced {
			d.replaceReader()
		}
		for _, d := range cooled {
			if d.raw != nil {
				_ = d.nc.SetReadDeadline(time.Unix(1, 0)) // the reader looks up; a socket that is closed has none
			}
		}
		if last {
			return
		}
	}
}

// replaceReader has the socket read on while its reader is in a call.
func (d *wsDriver) replaceReader() {
	d.hot, d.streak = nil, slowStreak
	d.watchAgain()
}
