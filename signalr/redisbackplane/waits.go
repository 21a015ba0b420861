package redisbackplane

import "sync"

// waits are those who wait for an answer of another server, by the number or id of the question.
type waits struct {
	mu    sync.Mutex
	acks  map[int32]chan struct{}
	asks  map[string]chan answer
	polls map[int32]chan nodeCount
}

func (w *waits) init() {
	w.acks, w.asks, w.polls = make(map[int32]chan struct{}), make(map[string]chan answer), make(map[int32]chan nodeCount)
}

// wait registers a wait under a key; the channel has room for n answers.
func wait[K comparable, V any](w *waits, m map[K]chan V, key K, n int) chan V {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan V, n)
	m[key] = c
	return c
}

func forget[K comparable, V any](w *waits, m map[K]chan V, key K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(m, key)
}

// deliver gives an answer to who waits for it. Nobody may: it came too late, or was made up. It never blocks.
func deliver[K comparable, V any](w *waits, m map[K]chan V, key K, v V) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case m[key] <- v: // never with nobody: the channel is nil then
	default:
	}
}
