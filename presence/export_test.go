package presence

// Abandon ends the tracker as if its process had been killed: its connections stay behind.
func (r *Redis) Abandon() {
	r.mu.Lock()
	r.closed = true
	client := r.client
	r.mu.Unlock()
	r.cancel()
	r.running.Wait()
	if client != nil {
		client.Close()
	}
}
