//go:build !linux

package farm

import (
	"context"
	"syscall"
)

func endsWithParent() *syscall.SysProcAttr { return nil }

func (p *process) awaitStop(context.Context) error { return nil } // the signal has to do
