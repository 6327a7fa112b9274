// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// unknownMemory is what a machine is taken to have that does not say.
const unknownMemory = 4 << 30

// memory is how many bytes of memory this process may take: what its control group
// allows, else what the machine has.
func memory() int64 {
	for _, name := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n
		}
	}
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return unknownMemory
	}
	for s := bufio.NewScanner(bytes.NewReader(raw)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) == 3 && f[0] == "MemTotal:" {
			if kb, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	return unknownMemory
}
