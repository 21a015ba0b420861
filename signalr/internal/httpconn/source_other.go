//go:build !unix

package httpconn

import "net"

// receiveAll gives what comes on a socket to take, until that wants no more, which is no error, or the socket ends.
// Where the system cannot tell that a socket is readable it holds a buffer.
func receiveAll(nc net.Conn, pool *bufferPool, take receiver) error {
	return receivePlain(nc, pool, take)
}
