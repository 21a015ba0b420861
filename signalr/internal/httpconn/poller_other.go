//go:build !linux

package httpconn

import (
	"errors"
	"io"
)

// poller waits for many sockets with one goroutine, where the system has epoll.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) close() {}

// polled is what a wsDriver has whose socket a poller watches.
type polled struct{}

func (*wsDriver) preparePoll()   {}
func (*wsDriver) isPolled() bool { return false }
func (*wsDriver) goOn() bool     { return false }
func (*wsDriver) pollAgain()     {}
func (*wsDriver) unwatch()       {}
func (*wsDriver) hungUp() bool   { return false }
func (*wsDriver) forget()        {}

func (d *wsDriver) waiter() (from io.Reader, done func(), err error) { return d.nc, func() {}, nil }
