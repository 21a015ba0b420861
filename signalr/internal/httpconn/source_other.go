//go:build !unix

package httpconn

import "net"

// source waits for the bytes of a socket. Where the system cannot tell that a socket is readable it holds a buffer.
type source struct {
	nc   net.Conn
	pool *bufferPool
}

func newSource(nc net.Conn, pool *bufferPool) *source { return &source{nc: nc, pool: pool} }

// wait returns a buffer of the pool with n bytes in it. The buffer is the caller's to give back.
func (s *source) wait() (*[bufferSize]byte, int, error) {
	buf := s.pool.get()
	n, err := s.nc.Read(buf[:])
	if n == 0 && err != nil {
		s.pool.put(buf)
		return nil, 0, err
	}
	return buf, n, nil
}
