package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// script is the server's side of one connection: it has read the request, may read on from in, and ends the
// connection by returning.
type script func(conn net.Conn, in *bufio.Reader, req *http.Request)

// scripted returns a replayer whose connections end in scripts, in memory.
func scripted(t *testing.T, serve script) *Replayer {
	var open sync.WaitGroup
	t.Cleanup(open.Wait)
	return &Replayer{
		Address: "server",
		Dial: func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			open.Go(func() {
				defer server.Close()
				in := bufio.NewReader(server)
				req, err := http.ReadRequest(in)
				if err == nil {
					serve(server, in, req)
				}
			})
			return client, nil
		},
	}
}

// upgraded is the head of the answer to a WebSocket request.
func upgraded(req *http.Request) string {
	accept := addUpgrade(&request{headers: []Header{{"Sec-WebSocket-Key", req.Header.Get("Sec-WebSocket-Key")}}})
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
}

// fromServer writes a frame with the given first byte as a server does.
func fromServer(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return string(append(b, payload...))
}

// fromClient reads a frame as a server does.
func fromClient(in io.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return frame{}, err
	}
	n := int(head[1] & 0x7f)
	if n > 125 {
		wide := make([]byte, map[int]int{126: 2, 127: 8}[n])
		if _, err := io.ReadFull(in, wide); err != nil {
			return frame{}, err
		}
		n = 0
		for _, b := range wide {
			n = n<<8 | int(b)
		}
	}
	data := make([]byte, 4+n)
	if _, err := io.ReadFull(in, data); err != nil {
		return frame{}, err
	}
	mask, payload := data[:4], data[4:]
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return frame{fin: head[0]&0x80 != 0, rsv: head[0] >> 4 & 7, opcode: head[0] & 15, payload: payload}, nil
}

// sends is a script that writes texts; a [time.Duration] among them is a pause. Then it waits for the client to go.
func sends(parts ...any) script {
	return func(conn net.Conn, in *bufio.Reader, req *http.Request) {
		if write(conn, req, parts) {
			io.Copy(io.Discard, in) // until the client goes
		}
	}
}

// hangsUp is a script that writes texts and ends the connection.
func hangsUp(parts ...any) script {
	return func(conn net.Conn, _ *bufio.Reader, req *http.Request) { write(conn, req, parts) }
}

// upgrade among the parts of a script stands for the answer to a WebSocket request.
type upgrade struct{}

func write(conn net.Conn, req *http.Request, parts []any) bool {
	for _, part := range parts {
		switch part := part.(type) {
		case time.Duration:
			time.Sleep(part) // in the time of the test's bubble
			continue
		case upgrade:
			if _, err := io.WriteString(conn, upgraded(req)); err != nil {
				return false
			}
		default:
			if _, err := fmt.Fprint(conn, part); err != nil {
				return false
			}
		}
	}
	return true
}
