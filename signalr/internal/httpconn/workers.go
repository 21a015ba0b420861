package httpconn

import "sync"

// Task is something that a worker runs once.
type Task interface{ Run() }

// Workers are goroutines that stay warm for the next task: what they run grows their stacks, not those of the
// goroutines that wait for a socket. The zero value is not ready; see [newWorkers].
type Workers struct {
	tasks chan Task
	wg    sync.WaitGroup

	mu      sync.Mutex
	stopped chan struct{} // closed when idle workers are to end
	closed  bool
	idle    int
}

// maxIdleWorkers bounds the goroutines that wait for work; more than this many run only under load.
const maxIdleWorkers = 64

func newWorkers() *Workers {
	return &Workers{tasks: make(chan Task), stopped: make(chan struct{})}
}

// Do runs t on a warm worker, or on a new one when none is free. It never waits.
func (w *Workers) Do(t Task) {
	select {
	case w.tasks <- t:
	default:
		w.wg.Go(func() { w.work(t) })
	}
}

func (w *Workers) work(t Task) {
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
func (w *Workers) wait() { w.wg.Wait() }
