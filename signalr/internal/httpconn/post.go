package httpconn

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"signalbox/signalr/transport"
)

// servePost takes bytes from the client of an event stream or of long polling (F-029 to F-032). POSTs of one
// connection are taken one after the other.
func (ep *Endpoint) servePost(w http.ResponseWriter, r *http.Request, c *Conn) {
	if c.Transport() == transport.WebSockets {
		answer(w, http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
		return
	}
	if c.leaves() {
		answer(w, http.StatusOK, "") // nobody listens any more, which is no fault of the client
		return
	}
	turn := c.postTurn()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-c.ctx.Done():
		answer(w, http.StatusNotFound, "")
		return
	case <-r.Context().Done():
		panic(http.ErrAbortHandler) // an answer would say that the body was taken
	}
	// A body that does not come must not outlive the connection.
	rc := http.NewResponseController(w)
	cut := make(chan struct{})
	stop := context.AfterFunc(&c.ctx, func() {
		defer close(cut)
		_ = rc.SetReadDeadline(time.Unix(1, 0))
	})
	status := ep.takeBody(r, c)
	if !stop() {
		<-cut
		w.Header().Set("Connection", "close") // the server cannot read from it any more
	}
	if status == 0 {
		panic(http.ErrAbortHandler) // the client is gone
	}
	answer(w, status, "")
}

// posts is what a connection has whose client posts.
type posts struct {
	turn  chan struct{} // has one place; held by the one POST whose body is being read (F-031); does not change
	bound chan struct{} // closed when there is a driver; does not change
	early []byte        // posted before that; guarded by Conn.mu
}

func (c *Conn) postsLocked() *posts {
	if c.posts == nil {
		c.posts = &posts{turn: make(chan struct{}, 1), bound: make(chan struct{})}
	}
	return c.posts
}

// postTurn returns the channel, of one place, that a POST holds while its body is being read.
func (c *Conn) postTurn() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.postsLocked().turn
}

// takeBody gives the App the body of a POST and returns how to answer it; 0 when there is nobody to answer.
func (ep *Endpoint) takeBody(r *http.Request, c *Conn) (status int) {
	buf := c.mgr.buffers.get()
	defer func() { c.mgr.buffers.put(buf) }()
	for {
		n, err := r.Body.Read(buf[:])
		if n > 0 {
			task, receiveErr := c.receive(r, buf[:n])
			switch {
			case receiveErr == nil:
			case c.ctx.Err() != nil || errors.Is(receiveErr, ErrClosed):
				return http.StatusNotFound
			default:
				return 0
			}
			if task != nil {
				// The task looks at the buffer until it has run.
				c.mgr.workers.Do(&postTask{c: c, task: task, buf: buf})
				buf = c.mgr.buffers.get()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if c.wasDeleted() {
				return http.StatusNotFound // F-032: nobody has read it
			}
			return http.StatusOK
		case err != nil && c.ctx.Err() != nil:
			return http.StatusNotFound
		case err != nil:
			return http.StatusBadRequest
		}
	}
}

func (c *Conn) wasDeleted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deleted
}

type postTask struct {
	c    *Conn
	task Task
	buf  *[bufferSize]byte
}

func (t *postTask) Run() {
	t.task.Run()
	t.c.mgr.buffers.put(t.buf)
}

// receive gives p to the App, or keeps it until there is one: a POST may come before the first GET (F-031).
func (c *Conn) receive(r *http.Request, p []byte) (Task, error) {
	for {
		c.mu.Lock()
		if c.state == stateOver {
			c.mu.Unlock()
			return nil, ErrClosed
		}
		if c.inputOver { // nobody listens any more, which is no fault of the client
			c.mu.Unlock()
			return nil, nil
		}
		if c.driver != nil {
			c.mu.Unlock()
			return c.app.Receive(r.Context(), p)
		}
		limit := c.ep.opts.ApplicationMaxBufferSize
		posts := c.postsLocked()
		if len(posts.early) == 0 || len(posts.early)+len(p) <= limit || limit == 0 {
			posts.early = append(posts.early, p...)
			c.mu.Unlock()
			return nil, nil
		}
		// Full, and no transport: wait for one as long as the connection may.
		c.mu.Unlock()
		select {
		case <-posts.bound:
		case <-c.ctx.Done():
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}
