//go:build unix

package httpconn

import (
	"io"
	"net"
	"syscall"
)

// receiveAll gives what comes on a socket to take, until that wants no more, which is no error, or the socket ends. It
// holds no buffer while it waits: it asks the system to read only when the socket is readable, and takes a buffer from
// the pool for that.
func receiveAll(nc net.Conn, pool *bufferPool, take receiver) error {
	sc := plainSocket(nc)
	if sc == nil {
		return receivePlain(nc, pool, take)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var (
		buf    *[bufferSize]byte
		n      int
		failed error
	)
	// take is called outside: closing the socket waits for this function.
	read := func(fd uintptr) (done bool) {
		buf = pool.get()
		for {
			if n, failed = syscall.Read(int(fd), buf[:]); failed != syscall.EINTR {
				break
			}
		}
		if failed == syscall.EAGAIN {
			pool.put(buf)
			buf = nil
			return false
		}
		return true
	}
	for {
		if err := raw.Read(read); err != nil {
			return err
		}
		if n <= 0 {
			pool.put(buf)
			if failed == nil {
				failed = io.EOF
			}
			return failed
		}
		full := buf
		buf = nil
		if !take(full, n) {
			return nil
		}
	}
}

// plainSocket returns nc if its bytes are those of a socket. It wants the very types of package net: a type that only
// embeds one may do something of its own with the bytes.
func plainSocket(nc net.Conn) syscall.Conn {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return nc
	case *net.UnixConn:
		return nc
	}
	return nil
}
