// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// disks makes the disk slow for one process and those it starts, by the kernel's own
// throttle of writes (control groups of the first version: blkio). Its names have this
// process's number in them, as those of a lan.
type disks struct {
	t      *testing.T
	device string // major:minor of the whole disk under the tests' folders
}

const (
	throttles = "/sys/fs/cgroup/blkio"
	throttle  = "blkio.throttle.write_iops_device"
)

// newDisks is nil where no disk can be made slow, which it says.
func newDisks(t *testing.T) *disks {
	t.Helper()
	d := &disks{t: t}
	t.Cleanup(d.remove)
	d.remove()
	err := os.Mkdir(d.group("try"), 0o700)
	if err == nil {
		d.device, err = deviceOf(t.TempDir())
	}
	if err == nil {
		err = d.write("try", throttle, d.device+" 1000")
	}
	if err != nil {
		t.Logf("left out: slow disks, since no write can be throttled here: %v", err)
		return nil
	}
	return d
}

// deviceOf is the disk that holds a folder. Limits are of disks, not of their partitions.
func deviceOf(dir string) (string, error) {
	var s syscall.Stat_t
	if err := syscall.Stat(dir, &s); err != nil {
		return "", err
	}
	of := fmt.Sprintf("/sys/dev/block/%d:%d", s.Dev>>8&0xfff, s.Dev&0xff|s.Dev>>12&0xfff00)
	if _, err := os.Stat(of + "/partition"); err == nil {
		of += "/.."
	}
	raw, err := os.ReadFile(of + "/dev")
	return strings.TrimSpace(string(raw)), err
}

func (d *disks) group(name string) string {
	return filepath.Join(throttles, fmt.Sprint(spaces, os.Getpid(), "-", name))
}

// join puts a process, with those it has started, under the throttle of a name, which
// does not limit anything yet.
func (d *disks) join(name string, pid int) {
	if d == nil {
		return
	}
	if err := os.Mkdir(d.group(name), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		d.t.Error(err)
	}
	if err := d.write(name, "cgroup.procs", strconv.Itoa(pid)); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
		d.t.Error(err)
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none: it has ended
	for child := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			d.join(name, n)
		}
	}
}

// limit lets the processes of a name write so many times a second; 0: as often as they like.
func (d *disks) limit(name string, writes int) {
	if err := d.write(name, throttle, fmt.Sprint(d.device, " ", writes)); err != nil {
		d.t.Error(err)
	}
}

func (d *disks) write(name, file, text string) error {
	return os.WriteFile(filepath.Join(d.group(name), file), []byte(text), 0)
}

// remove removes the groups of this process, and those of tests that are no more.
func (d *disks) remove() {
	groups, _ := filepath.Glob(filepath.Join(throttles, spaces+"*")) // the pattern is well formed
	for _, g := range groups {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(g), spaces), "-")
		if pid, err := strconv.Atoi(id); err == nil && (pid == os.Getpid() || syscall.Kill(pid, 0) != nil) {
			_ = os.Remove(g) // one with processes in it stays
		}
	}
}
