// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// folder is blobs as files. A file of sha256/ is whole from its first moment: it is
// written in part/, brought to the disk, and linked into its place, which never
// replaces another. Its time of change is when it was last put or kept. Whoever looks
// at that time to decide, and whoever sets it, locks the file first, so that a blob
// that is kept is never deleted on an older look.
type folder string

func (f folder) path(d Digest) string { return filepath.Join(string(f), filepath.FromSlash(key(d))) }
func (f folder) blobs() string        { return filepath.Join(string(f), "sha256") }
func (f folder) parts() string        { return filepath.Join(string(f), "part") }

func (f folder) make() error {
	return errors.Join(os.MkdirAll(f.blobs(), 0o700), os.MkdirAll(f.parts(), 0o700))
}

func partName() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// put keeps head and what r goes on with; c has hashed and counted it afterwards.
func (f folder) put(ctx context.Context, head []byte, r io.Reader, c *counter) (err error) {
	part := filepath.Join(f.parts(), partName())
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(part), file.Close()) }()
	if err := lock(file, syscall.LOCK_EX); err != nil { // until the end, so that no sweep takes it, however slow r is
		return err
	}
	_, _ = c.Write(head) // never fails
	if _, err := file.Write(head); err != nil {
		return err
	}
	if len(head) == small {
		if err := pour(ctx, file, c, r); err != nil {
			return err
		}
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return f.place(part, c.digest())
}

// place links a part to its place, unless the blob is there; either way its name is
// on the disk afterwards, for a row that holds it is committed next.
func (f folder) place(part string, d Digest) error {
	dir := filepath.Dir(f.path(d))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for attempt := 0; ; attempt++ {
		there, err := f.keep(d)
		if !there && err == nil {
			err = os.Link(part, f.path(d))
		}
		if errors.Is(err, fs.ErrExist) && attempt < 100 {
			continue // another Put was first
		}
		if err != nil {
			return err
		}
		return errors.Join(syncDir(dir), syncDir(f.blobs()))
	}
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// open opens a blob's file for reading; what is no plain file, such as a link that
// leads elsewhere, is none. One that is not there is fs.ErrNotExist.
func (f folder) open(d Digest) (*os.File, int64, error) {
	file, err := os.OpenFile(f.path(d), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, 0, fs.ErrNotExist
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, errors.Join(err, file.Close(), fs.ErrNotExist)
	}
	return file, info.Size(), nil
}

// locked runs do with the blob's file locked, unless there is none.
func (f folder) locked(d Digest, do func(path string, info fs.FileInfo) error) (there bool, err error) {
	file, _, err := f.open(d)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }() // also unlocks
	if err := lock(file, syscall.LOCK_EX); err != nil {
		return false, err
	}
	mine, err := file.Stat()
	if err != nil {
		return false, err
	}
	now, err := os.Lstat(f.path(d))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(mine, now) {
		return false, nil // it was deleted while the lock was waited for
	}
	if err == nil {
		err = do(f.path(d), mine)
	}
	return err == nil, err
}

func (f folder) keep(d Digest) (bool, error) {
	return f.locked(d, func(path string, _ fs.FileInfo) error { return os.Chtimes(path, time.Time{}, time.Now()) })
}

func (f folder) remove(d Digest, before time.Time) (removed bool, err error) {
	_, err = f.locked(d, func(path string, info fs.FileInfo) error {
		if !info.ModTime().Before(before) {
			return nil
		}
		removed = true
		return os.Remove(path)
	})
	return removed && err == nil, err
}

func (f folder) list(ctx context.Context, yield func(Info, error) bool) {
	shards, err := os.ReadDir(f.blobs())
	for _, shard := range shards {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			break
		}
		if !shard.IsDir() {
			continue
		}
		var files []fs.DirEntry
		files, err = os.ReadDir(filepath.Join(f.blobs(), shard.Name()))
		for _, file := range files {
			d := Digest(file.Name())
			if !d.valid() || string(d[:2]) != shard.Name() {
				continue
			}
			info, err := file.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue // deleted meanwhile, or nothing of ours
			}
			if !yield(Info{d, info.Size(), info.ModTime()}, nil) {
				return
			}
		}
	}
	if err != nil {
		yield(Info{}, err)
	}
}

// sweep removes old parts that nobody is writing.
func (f folder) sweep(ctx context.Context, before time.Time) (parts int, size int64, err error) {
	files, err := os.ReadDir(f.parts())
	for _, e := range files {
		if err = errors.Join(err, ctx.Err()); err != nil {
			break
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
			continue // gone already, or nothing of ours
		}
		path := filepath.Join(f.parts(), e.Name())
		removed, err := removeUnlocked(path)
		if err != nil {
			return parts, size, err
		}
		if removed {
			parts, size = parts+1, size+info.Size()
		}
	}
	return parts, size, err
}

// removeUnlocked removes a file unless somebody has it locked.
func removeUnlocked(path string) (removed bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false, nil // it has found its place meanwhile
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if lock(file, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false, nil // it is being written
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lock locks a file until it is closed, or its process ends.
func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
