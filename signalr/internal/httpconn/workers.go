package httpconn

import "sync"

// Task is something that a worker runs once.
type Task interface{ Run() }

// Workers are goroutines that stay warm for the next task: what they run grows their stacks, not those of the
// goroutines that wait for a socket. The zero value is not ready; see [newWorkers].
type Workers struct {
	tasks chan Task

	mu      sync.Mutex
	stopped chan struct{} // closed when idle workers are to end
	closed  bool
	idle    int
	// alive counts the goroutines. A WaitGroup would not do: sends may still bring tasks while wait waits.
	alive int
	none  sync.Cond // alive has become 0
}

// maxIdleWorkers bounds the goroutines that wait for work; more than this many run only under load.
const maxIdleWorkers = 64

func newWorkers() *Workers {
	w := &Workers{tasks: make(chan Task), stopped: make(chan struct{})}
	w.none.L = &w.mu
	return w
}

// Do runs t on a warm worker, or on a new one when none is free. It never waits.
func (w *Workers) Do(t Task) {
	select {
	case w.tasks <- t:
	default:
		w.mu.Lock()
		w.alive++
		w.mu.Unlock()
		go w.work(t)
	}
}

func (w *Workers) work(t Task) {
	defer w.ended()
	for {
		t.Run()
		w.mu.Lock()
		if w.closed || w.idle >= maxIdleWorkers {
			w.mu.Unlock()
			return
		}
		w.idle++
		w.mu.Unlock()
		select {
		case t = <-w.tasks:
		case <-w.stopped:
			t = nil
		}
		w.mu.Lock()
		w.idle--
		w.mu.Unlock()
		if t == nil {
			return
		}
	}
}

// ended is deferred by a worker, so that it is counted out even when a task ends its goroutine.
func (w *Workers) ended() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive--
	if w.alive == 0 {
		w.none.Broadcast()
	}
}

// close ends the idle workers; later tasks start new ones, which end as soon as they are done.
func (w *Workers) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.stopped)
	}
	w.mu.Unlock()
}

// wait returns when no task runs any more.
func (w *Workers) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.alive > 0 {
		w.none.Wait()
	}
}
