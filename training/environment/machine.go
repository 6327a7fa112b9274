// SPDX-License-Identifier: Apache-2.0

package environment

import (
	"bufio"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Machine is what a training ran on, as far as its results may depend on it.
type Machine struct {
	OS       string   `json:"os"`                 // as Go names it: linux
	System   string   `json:"system,omitempty"`   // the distribution, as it names itself
	Kernel   string   `json:"kernel,omitempty"`   // its release
	Arch     string   `json:"arch"`               // as Go names it: amd64
	CPU      string   `json:"cpu,omitempty"`      // the model, as it names itself
	Features []string `json:"features,omitempty"` // of the CPU, those by which numeric libraries choose their code
	CPUs     int      `json:"cpus"`               // that this process may use
}

// Here is this machine. What the system does not tell is empty.
func Here() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	if raw, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(raw))
	}
	m.System = strings.Trim(field("/etc/os-release", "=", "PRETTY_NAME"), `"`)
	m.CPU = field("/proc/cpuinfo", ":", "model name")
	chosenBy := []string{"asimd", "avx", "avx2", "avx512bw", "avx512f", "avx512vl", "f16c", "fma", "sse4_2", "sve"} // by NumPy, BLAS and the like
	for f := range strings.FieldsSeq(field("/proc/cpuinfo", ":", "flags", "Features")) {
		if slices.Contains(chosenBy, f) {
			m.Features = append(m.Features, f)
		}
	}
	slices.Sort(m.Features)
	return m
}

// field is the first value of one of the keys in a file of lines of key and value.
func field(path, between string, keys ...string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was read only
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), between); ok && slices.Contains(keys, strings.TrimSpace(key)) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
