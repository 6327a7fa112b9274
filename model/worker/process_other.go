// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package worker

import "syscall"

// attributes put a process into a group of its own. It ends with the server when it
// reads the end of its socket.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
