// SPDX-License-Identifier: Apache-2.0

package worker

import "syscall"

// attributes put a process into a group of its own, and have the kernel kill it when the
// thread that started it ends: with the server.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
