// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"flyball/fault"
)

// yield gives all in a folder to the folder's owner, where root did what is done: a service
// that runs as another user could not read it.
func yield(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := filepath.EvalSymlinks(dir)
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(dir)
	}
	if err == nil {
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 {
			err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				return os.Lchown(path, int(owner.Uid), int(owner.Gid))
			})
		}
	}
	return fault.Wrap(err, fault.Unavailable, "%s cannot be given to the owner of its folder", dir)
}
