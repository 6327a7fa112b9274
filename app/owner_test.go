// SPDX-License-Identifier: Apache-2.0

package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWhatRootRestoresIsTheServices restores into the folder of a service that systemd runs
// as a user of its own: a link to a folder of that user.
func TestWhatRootRestoresIsTheServices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const service = 61234
	file := save(t, filled(t, config(t)))
	dir := t.TempDir()
	folder, link := filepath.Join(dir, "private"), filepath.Join(dir, "flyball")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, service, service); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		n := 0
		if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if n++; err == nil && info.Sys().(*syscall.Stat_t).Uid != service {
				t.Errorf("%s: %s is not the service's", what, path)
			}
			return err
		}); err != nil || n < 10 {
			t.Errorf("%s: %d files, %v", what, n, err)
		}
	}
	to := Place{Data: link}
	if _, err := Restore(t.Context(), file, to, true, nil); err != nil {
		t.Fatal(err)
	}
	check("a restore")
	if _, err := Upgrade(t.Context(), to, file, nil); err != nil {
		t.Fatal(err)
	}
	check("an upgrade")
	if _, err := Back(t.Context(), to, file, nil); err != nil {
		t.Fatal(err)
	}
	check("a way back")
}
