package redistest

import "syscall"

// endsWithParent has the system kill a process when the one that started it is no more, however that ended.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
