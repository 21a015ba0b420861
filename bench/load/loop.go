package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"
)

// loop serves any number of sockets from one goroutine with epoll: what a load generator spends, the server under test
// cannot have. All callbacks run on that goroutine, so nothing of theirs needs a lock.
type loop struct {
	epfd    int
	wake    [2]int // a pipe: a byte in it makes the loop run queued functions
	socks   map[int32]*sock
	buf     []byte
	scratch []byte
	tick    func(now time.Time) // called at least every tickEvery

	mu     sync.Mutex
	queue  []func()
	closed bool
	done   chan struct{}
}

const tickEvery = 100 * time.Millisecond

// sock is one socket of the loop.
type sock struct {
	loop *loop
	fd   int
	w    io.WriteCloser // instead of fd, for TLS: another goroutine reads, and the kernel never says no for long
	rest []byte         // read, and not yet a whole frame
	out  []byte         // what the kernel has not taken yet
	gone bool
	// parse takes whole frames off b and returns how many bytes it took.
	parse func(b []byte) (int, error)
	// lost is told once why the socket ended, unless [sock.close] was called before.
	lost func(error)
}

func newLoop() (*loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	l := &loop{epfd: epfd, socks: make(map[int32]*sock), buf: make([]byte, 256<<10), done: make(chan struct{})}
	if err := syscall.Pipe2(l.wake[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, errors.Join(fmt.Errorf("pipe: %w", err), syscall.Close(epfd))
	}
	if err := l.control(syscall.EPOLL_CTL_ADD, l.wake[0], syscall.EPOLLIN); err != nil {
		return nil, errors.Join(err, syscall.Close(l.wake[0]), syscall.Close(l.wake[1]), syscall.Close(epfd))
	}
	go l.run()
	return l, nil
}

func (l *loop) control(op, fd int, events uint32) error {
	if err := syscall.EpollCtl(l.epfd, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// do runs f on the loop's goroutine some time soon. After close it does nothing.
func (l *loop) do(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.queue = append(l.queue, f)
	if len(l.queue) == 1 {
		_, _ = syscall.Write(l.wake[1], []byte{0}) // a full pipe wakes as well
	}
}

// call runs f on the loop's goroutine and waits until it has.
func (l *loop) call(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	l.do(func() { f(); close(ran) })
	select {
	case <-ran:
		return nil
	case <-l.done:
		return errors.New("the generator's loop has ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends the loop and closes its sockets.
func (l *loop) close() {
	l.do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	})
	<-l.done
}

func (l *loop) run() {
	defer close(l.done)
	events := make([]syscall.EpollEvent, 512)
	last := time.Now()
	for {
		n, err := syscall.EpollWait(l.epfd, events, int(tickEvery/time.Millisecond))
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic("load: epoll_wait: " + err.Error()) // nothing that it may say can happen to a valid descriptor
		}
		for _, e := range events[:max(n, 0)] {
			if int(e.Fd) == l.wake[0] {
				l.runQueue()
			} else if s := l.socks[e.Fd]; s != nil {
				s.ready(e.Events)
			}
		}
		if now := time.Now(); l.tick != nil && now.Sub(last) >= tickEvery {
			last = now
			l.tick(now)
		}
		if l.ended() {
			return
		}
	}
}

func (l *loop) runQueue() {
	var drain [64]byte
	_, _ = syscall.Read(l.wake[0], drain[:])
	l.mu.Lock()
	queue := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, f := range queue {
		f()
	}
}

// ended frees what the loop holds once it is closed.
func (l *loop) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		return false
	}
	for _, s := range l.socks {
		_ = syscall.Close(s.fd)
	}
	_ = syscall.Close(l.wake[0])
	_ = syscall.Close(l.wake[1])
	_ = syscall.Close(l.epfd)
	return true
}

// add begins to serve a socket; early are bytes that were read from it before.
func (l *loop) add(s *sock, early []byte) {
	s.loop = l
	if s.w == nil {
		l.socks[int32(s.fd)] = s
		if err := l.control(syscall.EPOLL_CTL_ADD, s.fd, syscall.EPOLLIN|syscall.EPOLLRDHUP); err != nil {
			s.end(err)
			return
		}
	}
	if len(early) > 0 {
		s.feed(early)
	}
}

func (s *sock) ready(events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		s.flush()
	}
	if s.gone || events&^uint32(syscall.EPOLLOUT) == 0 {
		return
	}
	n, err := syscall.Read(s.fd, s.loop.buf)
	switch {
	case n > 0:
		s.feed(s.loop.buf[:n])
	case n == 0:
		s.end(io.EOF)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
	default:
		s.end(err)
	}
}

// feed parses what was read, behind what was left of it before.
func (s *sock) feed(b []byte) {
	if len(s.rest) > 0 {
		s.rest = append(s.rest, b...)
		b = s.rest
	}
	n, err := s.parse(b)
	if err != nil {
		s.end(err)
		return
	}
	if n == len(b) {
		s.rest = s.rest[:0]
		return
	}
	s.rest = append(s.rest[:0], b[n:]...)
}

// write sends b, or keeps what the kernel does not take now.
func (s *sock) write(b []byte) {
	if s.gone {
		return
	}
	if s.w != nil {
		if _, err := s.w.Write(b); err != nil {
			s.end(err)
		}
		return
	}
	if len(s.out) > 0 {
		s.out = append(s.out, b...)
		return
	}
	n, err := syscall.Write(s.fd, b)
	if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
		s.end(err)
		return
	}
	if n = max(n, 0); n < len(b) {
		s.out = append(s.out, b[n:]...)
		s.watch(syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLOUT)
	}
}

func (s *sock) flush() {
	out := s.out
	s.out = nil
	s.watch(syscall.EPOLLIN | syscall.EPOLLRDHUP)
	if len(out) > 0 {
		s.write(out)
	}
}

func (s *sock) watch(events uint32) {
	if err := s.loop.control(syscall.EPOLL_CTL_MOD, s.fd, events); err != nil {
		s.end(err)
	}
}

// end closes the socket and tells why.
func (s *sock) end(err error) {
	if s.gone {
		return
	}
	s.close()
	if s.lost != nil {
		s.lost(err)
	}
}

// close closes the socket on purpose.
func (s *sock) close() {
	if s.gone {
		return
	}
	s.gone = true
	if s.w != nil {
		_ = s.w.Close()
		return
	}
	delete(s.loop.socks, int32(s.fd))
	_ = syscall.Close(s.fd)
}
