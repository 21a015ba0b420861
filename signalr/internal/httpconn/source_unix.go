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
	// The very types of package net: a type that only embeds one may do something of its own with the bytes.
	var sc syscall.Conn
	switch nc := nc.(type) {
	case *net.TCPConn:
		sc = nc
	case *net.UnixConn:
		sc = nc
	default:
		return receivePlain(nc, pool, take)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	var end error
	// One call for the whole life of the socket: the poller tells of what comes while the function is busy, too, so that
	// after a read that did not fill the buffer there is no need to ask whether there is more.
	err = raw.Read(func(fd uintptr) (done bool) {
		for {
			buf := pool.get()
			n, err := syscall.Read(int(fd), buf[:])
			switch {
			case err == syscall.EINTR:
				pool.put(buf)
			case err == syscall.EAGAIN:
				pool.put(buf)
				return false
			case err != nil:
				pool.put(buf)
				end = err
				return true
			case n <= 0:
				pool.put(buf)
				end = io.EOF
				return true
			case !take(buf, n):
				return true
			case n < bufferSize:
				return false
			}
		}
	})
	if err != nil {
		return err
	}
	return end
}
