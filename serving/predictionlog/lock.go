// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"flyball/fault"
)

// lockFolder holds dir for this process. The lock is the kernel's: it ends with the
// process, however that ends, so the file that stays behind means nothing.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the lock of the prediction log in %s cannot be opened", dir)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.New(fault.Conflict, "the prediction log in %s is open in another process", dir).
			Do("stop the other server, or choose another data directory")
	}
	return nil, fault.Wrap(err, fault.Unavailable, "the prediction log in %s cannot be locked", dir)
}

// Unused is a Conflict fault where another process has the log in dir open. A folder that
// is not there is unused.
func Unused(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	return lock.Close()
}
