package httpconn

import (
	"errors"
	"os"
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
//   - A connection that is silent for a second is hot no more: with a poller, its reader goes; without, what its stack has
//     grown to is given back by the next garbage collections.

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

// begin says whether a call may begin. What was written before it is seen by whoever takes the reader's place.
func (h *hotReader) begin() bool {
	return h.state.CompareAndSwap(hotUsed, hotBusy) || h.state.CompareAndSwap(hotFree, hotBusy)
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

// noteRead counts a read, by the reader's side, and says whether the connection has become hot. newReader says that there
// will be a goroutine to read it then.
func (d *wsDriver) noteRead(newReader bool) bool {
	now := uint32(d.c.mgr.now() / Instant(time.Millisecond)) // wraps around, which does not matter
	if now-d.lastRead > soon {
		d.streak = min(d.streak, 0)
	}
	d.lastRead = now
	d.streak = min(d.streak+1, hotStreak)
	return d.streak == hotStreak && d.c.mgr.heat(d, newReader)
}

// heat makes a connection hot, unless the server is going down.
func (m *Manager) heat(d *wsDriver, newReader bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return false
	}
	d.hot = &hotReader{d: d}
	m.hot = append(m.hot, d.hot)
	if newReader {
		m.readers.Add(1)
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
			if d.isPolled() {
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
	if d.ended {
		return
	}
	if d.isPolled() {
		d.pollAgain()
		return
	}
	d.c.mgr.readers.Add(1) // before the watch ends, for which a shutdown waits
	go d.read(nil)
}

// readHot reads the socket of a hot connection that the poller has let go of, until it is hot no more.
func (d *wsDriver) readHot() {
	defer d.c.mgr.readers.Done()
	err := d.receive()
	switch {
	case err == nil: // somebody else reads, or nobody any more
	case errors.Is(err, os.ErrDeadlineExceeded): // the watch's
		_ = d.nc.SetReadDeadline(time.Time{})
		d.hot, d.streak = nil, 0
		d.pollAgain()
	default:
		d.forget()
		d.readEnded(err)
	}
}

// runHot is handOver for a hot connection.
func (r *wsRead) runHot(h *hotReader) bool {
	d := r.d
	h.state.CompareAndSwap(hotFree, hotUsed) // whatever comes keeps it hot
	task, bad := r.feed()
	ended := d.ended
	if ended {
		d.goodbye(d.bye, bad)
	}
	if short, ok := task.(ShortTask); ok && short.Short() && h.begin() {
		r.finish(task)
		return h.end() && !ended
	}
	if task == nil {
		r.release()
	} else {
		r.task = task
		d.c.mgr.workers.Do((*wsTask)(r))
	}
	return !ended
}

// wsTask is a wsRead of which only the task is left to be done.
type wsTask wsRead

// Run implements [Task].
func (t *wsTask) Run() { (*wsRead)(t).finish(t.task) }
