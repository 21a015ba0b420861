package httpconn

import "sync"

// Task is something that a worker runs once.
type Task interface{ Run() }

// Workers are goroutines that stay warm for the next task: what they run grows their stacks, not those of the
// goroutines that wait for a socket, which are counted with them. The zero value is not ready; see [newWorkers].
type Workers struct {
	mu     sync.Mutex
	idle   []chan Task // of those who wait for work; the last to become idle, whose memory is warm, is the first to work
	closed bool
	// alive counts the goroutines, of workers and of others that hand over to them and take over from them. A WaitGroup
	// would not do: sends may still bring tasks while wait waits.
	alive int
	none  sync.Cond // alive has become 0
}

// maxIdleWorkers bounds the goroutines that wait for work; more than this many run only under load.
const maxIdleWorkers = 64

func newWorkers() *Workers {
	w := new(Workers)
	w.none.L = &w.mu
	return w
}

// Do runs t on a warm worker, or on a new one when none is free. It never waits.
func (w *Workers) Do(t Task) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		next := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		next <- t // there is room: nobody else has it
		return
	}
	w.alive++
	w.mu.Unlock()
	go w.work(t)
}

// enter counts a goroutine that is no worker, until it leaves.
func (w *Workers) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive++
}

// leave counts a goroutine out.
func (w *Workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive--
	if w.alive == 0 {
		w.none.Broadcast()
	}
}

func (w *Workers) work(t Task) {
	defer w.leave() // even when a task ends its goroutine
	next := make(chan Task, 1)
	for ok := true; ok; t, ok = <-next {
		t.Run()
		w.mu.Lock()
		if w.closed || len(w.idle) >= maxIdleWorkers {
			w.mu.Unlock()
			return
		}
		w.idle = append(w.idle, next)
		w.mu.Unlock()
	}
}

// close ends the idle workers; later tasks start new ones, which end as soon as they are done.
func (w *Workers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, next := range w.idle {
		close(next)
	}
	w.idle = nil
}

// wait returns when no task runs any more.
func (w *Workers) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.alive > 0 {
		w.none.Wait()
	}
}
