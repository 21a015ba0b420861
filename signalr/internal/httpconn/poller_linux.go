package httpconn

import (
	"fmt"
	"net"
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

const pollEvents = syscall.EPOLLIN | syscall.EPOLLRDHUP | epollET

// adopt makes a socket of the connection of d, which it closes, and tells d from now on when it is readable.
func (p *poller) adopt(d *wsDriver) error {
	var fd int
	var failed error
	if err := d.raw.Control(func(old uintptr) { fd, failed = duplicate(old) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	before := d.nc
	s := &socket{poller: p, fd: int32(fd)}
	p.mu.Lock()
	if p.closed {
		failed = os.ErrClosed
	} else {
		d.nc, d.raw = s, (*rawSocket)(s)
		if missing := fd + 1 - len(p.socks); missing > 0 {
			p.socks = append(p.socks, make([]*wsDriver, missing)...)
		}
		p.socks[fd] = d
		failed = p.control(syscall.EPOLL_CTL_ADD, d, pollEvents)
	}
	p.mu.Unlock()
	if failed != nil {
		_ = s.Close()
		return failed
	}
	_ = before.Close()
	return nil
}

// control changes what is reported of the socket of d. It is called with the lock held.
func (p *poller) control(op int, d *wsDriver, events uint32) error {
	if p.closed {
		return os.ErrClosed
	}
	s := d.nc.(*socket)
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.epfd, op, int(s.fd), &syscall.EpollEvent{
		Events: events, Fd: s.fd, Pad: int32(d.polled.turn),
	}))
}

// watch has d told when its socket is readable, at once if it is; or not until it is called again.
func (p *poller) watch(d *wsDriver, on bool) error {
	s := d.nc.(*socket)
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	events := uint32(epollET)
	if on {
		events = pollEvents
	}
	return p.control(syscall.EPOLL_CTL_MOD, d, events)
}

// forget tells d nothing more.
func (p *poller) forget(d *wsDriver) {
	s := d.nc.(*socket)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socks[s.fd] == d {
		p.socks[s.fd] = nil
	}
}

// drop is called before a descriptor is closed.
func (p *poller) drop(fd int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if int(fd) < len(p.socks) {
		p.socks[fd] = nil
	}
	// It would leave by itself if nobody waited for the socket any more. The error is that it is not there.
	_ = syscall.EpollCtl(p.epfd, syscall.EPOLL_CTL_DEL, int(fd), nil)
}

// close ends the poller and waits for its goroutine.
func (p *poller) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.file.Close()
	<-p.done
}
