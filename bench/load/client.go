package load

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// client is one connection to the server under test. All its fields belong to the loop once it is served.
type client struct {
	swarm *Swarm
	main  *sock // what the server's messages come from
	posts *sock // where server-sent events and long polling post to; nil on a WebSocket
	left  bool

	fragments []byte // of a message that comes in several frames

	started  [maxSlots]int64 // when each call under way began
	echoSize int             // plain TCP: the length of an answer

	postHead      []byte // of a post, up to the value of Content-Length
	pollRequest   []byte
	deleteRequest []byte
	events        []byte // of an event stream: what follows the last whole event
}

// send sends one message of the dialect.
func (c *client) send(message []byte) {
	l := c.swarm.loop
	switch {
	case c.posts != nil:
		b := append(l.scratch[:0], c.postHead...)
		b = strconv.AppendInt(b, int64(len(message)), 10)
		b = append(append(b, blank...), message...)
		l.scratch = b
		c.posts.write(b)
	case c.swarm.target.Transport == TCP:
		c.main.write(message)
	default:
		l.scratch = appendFrame(l.scratch[:0], c.swarm.dialect.op(), message)
		c.main.write(l.scratch)
	}
}

// message reads one message of the transport.
func (c *client) message(p []byte) error { return c.swarm.dialect.parse(c, p) }

func (c *client) completed(slot int, m []byte) {
	if f := c.swarm.onCompleted; f != nil {
		f(c, slot, m)
	}
}

func (c *client) delivered(m []byte) {
	if f := c.swarm.onDelivered; f != nil {
		f(c, m)
	}
}

// lost notes that the server, or the network, ended the connection.
func (c *client) lost(err error) {
	if !c.left {
		c.swarm.lost++
		if c.swarm.lostWhy == nil {
			c.swarm.lostWhy = err
		}
	}
	c.leave()
}

// leave ends the connection as a client does that goes away.
func (c *client) leave() {
	if c.left {
		return
	}
	c.left = true
	if c.swarm.target.Transport == WebSockets && !c.main.gone {
		c.main.write(appendFrame(nil, opClose, []byte{0x03, 0xe8}))
	}
	c.main.close()
	if c.posts != nil {
		if c.swarm.target.Transport == LongPolling && !c.posts.gone {
			c.posts.write(c.deleteRequest) // else the server waits for the next poll
		}
		c.posts.close()
	}
}

// serve hands an open connection over to the loop.
func (c *client) serve(d *dialed) error {
	var err error
	if c.main, err = c.socket(d.main.conn); err != nil {
		return err
	}
	early := d.main.rest
	switch c.swarm.target.Transport {
	case WebSockets:
		c.main.parse = c.parseFrames
	case TCP:
		c.main.parse = c.parseEchoes
	case ServerSentEvents:
		c.main.parse, c.postHead = c.parseEvents, d.postHead
		c.events = d.events
	case LongPolling:
		c.main.parse, c.postHead = c.parsePolls, d.postHead
		c.pollRequest, c.deleteRequest = d.pollRequest, d.deleteRequest
	}
	if d.posts != nil {
		if c.posts, err = c.socket(d.posts.conn); err != nil {
			return err
		}
		c.posts.parse = c.parsePosts
	}
	c.swarm.loop.do(func() {
		c.swarm.clients = append(c.swarm.clients, c)
		c.swarm.loop.add(c.main, early)
		if c.posts != nil {
			c.swarm.loop.add(c.posts, nil)
		}
		if c.swarm.target.Transport == LongPolling {
			c.main.write(c.pollRequest)
		}
	})
	return nil
}

// socket takes the descriptor out of Go's own poller, which would be woken by everything that comes in as well.
func (c *client) socket(conn net.Conn) (*sock, error) {
	s := &sock{fd: -1, lost: c.lost}
	if t, ok := conn.(*tls.Conn); ok {
		s.w = t
		go c.readTLS(s, t)
		return s, nil
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("taking over a socket: %w", err)
	}
	var dupErr error
	if err := raw.Control(func(fd uintptr) { s.fd, dupErr = dup(int(fd)) }); err != nil || dupErr != nil {
		return nil, fmt.Errorf("taking over a socket: %w, %w", err, dupErr)
	}
	return s, conn.Close()
}

func dup(fd int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// readTLS feeds the loop with what comes in until the connection ends, which closing it brings about. Encrypted
// connections serve to see what idle ones cost, so this path need not be fast.
func (c *client) readTLS(s *sock, conn *tls.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		b := append([]byte(nil), buf[:n]...)
		c.swarm.loop.do(func() {
			if n > 0 && !s.gone {
				s.feed(b)
			}
			if err != nil {
				s.end(err)
			}
		})
		if err != nil {
			return
		}
	}
}
