package httpconn

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// poller waits for many sockets with one goroutine, by epoll: an idle connection then holds no goroutine and no stack.
// Its own file descriptor waits in the runtime's poller, so that no thread is blocked either. Sockets report an edge:
// that something came, once, however much.
type poller struct {
	epfd int
	file *os.File // owns epfd
	done chan struct{}

	mu     sync.Mutex
	closed bool
	socks  []*wsDriver // by file descriptor
}

// epollET reports edges; syscall has it as a number that is negative.
const epollET = 1 << 31

// newPoller starts a poller, which runs until close.
func newPoller() (*poller, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if err := syscall.SetNonblock(epfd, true); err != nil { // has the runtime's poller take it
		_ = syscall.Close(epfd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &poller{epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll"), done: make(chan struct{})}
	raw, err := p.file.SyscallConn()
	if err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	go func() {
		defer close(p.done)
		p.run(raw)
	}()
	return p, nil
}

func (p *poller) run(raw syscall.RawConn) {
	events := make([]syscall.EpollEvent, 128)
	// The error is that the file is closed.
	_ = raw.Read(func(uintptr) (done bool) {
		for {
			n, err := syscall.EpollWait(p.epfd, events, 0)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return false
			}
			for _, e := range events[:n] {
				if d := p.find(e); d != nil {
					if e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
						d.polled.over.Store(true)
					}
					d.readable()
				}
			}
			if n < len(events) {
				return false // that was all; the next one is an edge for the runtime's poller
			}
		}
	})
}

// find returns the driver that an event is for, or nil when its socket is gone: descriptors are used again.
func (p *poller) find(e syscall.EpollEvent) *wsDriver {
	p.mu.Lock()
	defer p.mu.Unlock()
	if int(e.Fd) >= len(p.socks) {
		return nil
	}
	if d := p.socks[e.Fd]; d != nil && d.polled.turn == uint32(e.Pad) {
		return d
	}
	return nil
}

// add has d told when its socket is readable.
func (p *poller) add(d *wsDriver) error {
	var failed error
	err := d.raw.Control(func(fd uintptr) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed {
			failed = os.ErrClosed
			return
		}
		d.polled.fd = int32(fd)
		if missing := int(fd) + 1 - len(p.socks); missing > 0 {
			p.socks = append(p.socks, make([]*wsDriver, missing)...)
		}
		p.socks[fd] = d
		failed = syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{
			Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | epollET, Fd: int32(fd), Pad: int32(d.polled.turn),
		})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		p.remove(d)
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// release stops watching the socket of d, which stays open.
func (p *poller) release(d *wsDriver) {
	p.remove(d)
	_ = d.raw.Control(func(fd uintptr) { // fails when it is closed
		_ = syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_DEL, int(fd), nil)
	})
}

// remove forgets d. Its socket leaves epoll when it is closed.
func (p *poller) remove(d *wsDriver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd := int(d.polled.fd); fd < len(p.socks) && p.socks[fd] == d {
		p.socks[fd] = nil
	}
}

// close ends the poller and waits for its goroutine.
func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.file.Close()
	<-p.done
}
