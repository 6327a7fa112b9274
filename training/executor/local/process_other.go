// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package local

import "syscall"

// rssUnit is the unit of the greatest resident size in bytes, as macOS gives it.
const rssUnit = 1

// attributes put the program into a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// What needs Linux is left out elsewhere: what a program started in a session of its own
// is not found, and memory is not bounded.
func adopt() {}

func spare(int) {}

func descendants(int) []int { return nil }

func tokened(string) []int { return nil }

func memoryOf([]int) int64 { return 0 }

func machineMemory() int64 { return 0 }
