package httpconn

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socket is the connection of a client whose socket the [poller] watches: a file descriptor. What package net keeps of a
// connection, with what the runtime keeps to wait for it, is as much as all the rest that an idle client needs. Who has to
// wait for a socket, be it to read or to write, makes a net.Conn of it for that time.
type socket struct {
	poller *poller
	fd     int32
	// users is how many are in a system call on fd. Close adds closedSocket; the descriptor, which may then be another's at
	// any time, is closed when nobody uses it.
	users atomic.Int32

	mu      sync.Mutex
	waiting []net.Conn
}

const closedSocket = -1 << 31

// enter says whether the descriptor may be used; if so leave must be called.
func (s *socket) enter() bool {
	for {
		n := s.users.Load()
		if n < 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *socket) leave() {
	if s.users.Add(-1) == closedSocket {
		s.destroy()
	}
}

// Close ends the socket and whatever waits for it.
func (s *socket) Close() error {
	for {
		n := s.users.Load()
		if n < 0 {
			return net.ErrClosed
		}
		if !s.users.CompareAndSwap(n, n+closedSocket) {
			continue
		}
		s.mu.Lock()
		for _, nc := range s.waiting {
			_ = nc.Close()
		}
		s.mu.Unlock()
		if n == 0 {
			s.destroy()
		}
		return nil
	}
}

// destroy is called once, when nobody uses the descriptor and nobody will.
func (s *socket) destroy() {
	s.poller.drop(s.fd)
	_ = syscall.Close(int(s.fd))
}

// wait returns a net.Conn on the same socket, to be given back by done.
func (s *socket) wait() (nc net.Conn, err error) {
	if !s.enter() {
		return nil, net.ErrClosed
	}
	defer s.leave()
	fd, err := duplicate(uintptr(s.fd))
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "socket")
	nc, err = net.FileConn(f) // has a descriptor of its own
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users.Load() < 0 { // Close has not seen it
		_ = nc.Close()
		return nil, net.ErrClosed
	}
	s.waiting = append(s.waiting, nc)
	return nc, nil
}

// done closes what wait has returned.
func (s *socket) done(nc net.Conn) {
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(other net.Conn) bool { return other == nc })
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	s.mu.Unlock()
	_ = nc.Close()
}

// Write writes all of p.
func (s *socket) Write(p []byte) (n int, err error) {
	if !s.enter() {
		return 0, net.ErrClosed
	}
	for n < len(p) && err == nil {
		var m int
		if m, err = syscall.Write(int(s.fd), p[n:]); m > 0 {
			n += m
		}
		if err == syscall.EINTR {
			err = nil
		}
	}
	s.leave()
	if err != syscall.EAGAIN {
		return n, err
	}
	nc, err := s.wait()
	if err != nil {
		return n, err
	}
	defer s.done(nc)
	m, err := nc.Write(p[n:])
	return n + m, err
}

// Read is for who waits, by what wait returns.
func (*socket) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// SetReadDeadline wakes who waits.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nc := range s.waiting {
		_ = nc.SetReadDeadline(t) // one that is closed has none
	}
	return nil
}

// rawSocket is a socket for whoever calls the system himself. It implements [syscall.RawConn], but cannot wait.
type rawSocket socket

// Control implements [syscall.RawConn].
func (r *rawSocket) Control(f func(fd uintptr)) error {
	s := (*socket)(r)
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	f(uintptr(s.fd))
	return nil
}

// Read implements [syscall.RawConn].
func (r *rawSocket) Read(f func(fd uintptr) bool) error {
	return r.Control(func(fd uintptr) { f(fd) })
}

// Write implements [syscall.RawConn].
func (r *rawSocket) Write(f func(fd uintptr) bool) error {
	return r.Control(func(fd uintptr) { f(fd) })
}

// duplicate returns another descriptor of the same socket.
func duplicate(fd uintptr) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return 0, os.NewSyscallError("fcntl", errno)
	}
	return int(n), nil
}
