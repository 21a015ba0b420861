package httpconn

import "net"

// receiver takes n bytes in buf, which is its own from then on, and says whether it wants more.
type receiver func(buf *[bufferSize]byte, n int) bool

// receivePlain reads through the layers above the socket, such as TLS, which needs a buffer all the time.
func receivePlain(nc net.Conn, pool *bufferPool, take receiver) error {
	for {
		buf := pool.get()
		n, err := nc.Read(buf[:])
		if n == 0 {
			pool.put(buf)
		} else if !take(buf, n) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
