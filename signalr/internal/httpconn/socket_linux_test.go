package httpconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// newSocket returns a socket and who is at its other end.
func newSocket(t *testing.T) (*socket, net.Conn) {
	t.Helper()
	p, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	near, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := near.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var fd int
	var failed error
	if err := raw.Control(func(old uintptr) { fd, failed = duplicate(old) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	_ = near.Close()
	s := &socket{poller: p, fd: int32(fd)}
	t.Cleanup(func() { _ = s.Close() })
	return s, far
}

// open says whether a descriptor is in use.
func open(fd int32) bool {
	var st syscall.Stat_t
	return syscall.Fstat(int(fd), &st) == nil
}

func within(t *testing.T, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not end", what)
		return nil
	}
}

// TestSocketWriteWaits: more than the socket takes at once is written when the reader has made room.
func TestSocketWriteWaits(t *testing.T) {
	s, far := newSocket(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	written := make(chan error, 1)
	go func() {
		n, err := s.Write(want)
		if err == nil && n != len(want) {
			err = io.ErrShortWrite
		}
		written <- errors.Join(err, s.Close())
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d bytes of %d, %v", len(got), len(want), err)
	}
	if err := within(t, "the write", written); err != nil {
		t.Error(err)
	}
	if open(s.fd) {
		t.Error("the descriptor is left open")
	}
}

// TestSocketClose: who waits is woken, and the descriptor is closed when nobody uses it.
func TestSocketClose(t *testing.T) {
	s, far := newSocket(t)
	nc, err := s.wait()
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := nc.Read(make([]byte, 1))
		s.done(nc)
		read <- err
	}()
	wrote := make(chan error, 1)
	go func() {
		_, err := s.Write(make([]byte, 64<<20)) // nobody reads
		wrote <- err
	}()
	using := make(chan struct{})
	release := make(chan struct{})
	used := make(chan error, 1)
	go func() {
		used <- (*rawSocket)(s).Control(func(uintptr) { close(using); <-release })
	}()
	<-using
	if err := s.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Error(err)
	}
	if err := within(t, "the read", read); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v, want that the deadline is over", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := within(t, "the write", wrote); err == nil {
		t.Error("64 MB were written to nobody")
	}
	if !open(s.fd) {
		t.Error("the descriptor was closed while it was in use")
	}
	close(release)
	if err := within(t, "the use", used); err != nil {
		t.Error(err)
	}
	if open(s.fd) {
		t.Error("the descriptor is left open")
	}
	if _, err := io.Copy(io.Discard, far); err != nil {
		t.Errorf("the other end: %v", err)
	}
	if err := s.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
	if _, err := s.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written after the end: %v", err)
	}
	if _, err := s.wait(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("waited after the end: %v", err)
	}
}

// TestSocketCloseRaces: of many who use a socket while it is closed none touches the descriptor afterwards.
func TestSocketCloseRaces(t *testing.T) {
	for range 200 {
		s, _ := newSocket(t)
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			all.Go(func() {
				<-start
				for {
					err := (*rawSocket)(s).Control(func(uintptr) {
						if !open(s.fd) {
							t.Error("the descriptor is closed")
						}
					})
					if err != nil {
						return
					}
					if nc, err := s.wait(); err == nil {
						s.done(nc)
					}
				}
			})
		}
		all.Go(func() { <-start; _ = s.Close() })
		close(start)
		all.Wait()
	}
}
