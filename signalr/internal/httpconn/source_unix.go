//go:build unix

package httpconn

import (
	"io"
	"net"
	"syscall"
)

// source waits for the bytes of a socket and holds no buffer while it waits: it asks the system to read only once the
// socket is readable, and takes a buffer from the pool for that.
type source struct {
	nc   net.Conn
	raw  syscall.RawConn // nil when there is a layer such as TLS in between
	pool *bufferPool

	// What the callback reads into and leaves, here rather than captured so that waiting allocates nothing.
	buf  *[bufferSize]byte
	n    int
	err  error
	read func(fd uintptr) bool
}

func newSource(nc net.Conn, pool *bufferPool) *source {
	s := &source{nc: nc, pool: pool}
	// The very types of package net: a type that only embeds one may do something of its own with the bytes.
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return s
	}
	if raw, err := sc.SyscallConn(); err == nil {
		s.raw = raw
		s.read = s.readReady
	}
	return s
}

// wait returns a buffer of the pool with n bytes in it. The buffer is the caller's to give back.
func (s *source) wait() (buf *[bufferSize]byte, n int, err error) {
	if s.raw == nil {
		return s.waitPlain()
	}
	if err := s.raw.Read(s.read); err != nil {
		return nil, 0, err
	}
	buf, n, err = s.buf, s.n, s.err
	s.buf, s.n, s.err = nil, 0, nil
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		s.pool.put(buf)
		return nil, 0, err
	}
	return buf, n, nil
}

// readReady is called when the socket may be readable; false waits on.
func (s *source) readReady(fd uintptr) bool {
	s.buf = s.pool.get()
	for {
		s.n, s.err = syscall.Read(int(fd), s.buf[:])
		if s.err != syscall.EINTR {
			break
		}
	}
	if s.err == syscall.EAGAIN {
		s.pool.put(s.buf)
		s.buf, s.err = nil, nil
		return false
	}
	s.n = max(s.n, 0)
	return true
}

// waitPlain reads through the layers above the socket, which needs a buffer all the time.
func (s *source) waitPlain() (*[bufferSize]byte, int, error) {
	buf := s.pool.get()
	n, err := s.nc.Read(buf[:])
	if n == 0 && err != nil {
		s.pool.put(buf)
		return nil, 0, err
	}
	return buf, n, nil
}
