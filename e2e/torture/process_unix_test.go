//go:build unix && !linux

package torture

import "syscall"

func endsWithParent() *syscall.SysProcAttr { return nil }
