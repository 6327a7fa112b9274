// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"flyball/blob"
	"flyball/fault"
	"flyball/model"
)

// folder is a model's MLflow folder on the disk.
type folder struct {
	path string
	key  string // tells its content
	size int64
}

// place puts the files of a bundle that begin with Folder on the disk, under a name that
// tells their content. One that lies there already is used as it is. Whoever placed it
// releases it.
func (h *Host) place(m model.Manifest, files model.Files) (f folder, err error) {
	var names []string
	for _, name := range files.Names() {
		if rest, ok := strings.CutPrefix(name, Folder); ok {
			if !filepath.IsLocal(rest) || strings.Contains(rest, `\`) {
				return folder{}, fault.New(fault.Invalid, "%q is not a file's name", name)
			}
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return folder{}, fault.New(fault.Invalid, "there is no file under %s beside %s", Folder, FileName)
	}
	var list strings.Builder
	for _, name := range names {
		d, ok := m.Files[name]
		if !ok {
			content, err := files.Read(name)
			if err != nil {
				return folder{}, err
			}
			d = blob.Sum(content)
		}
		fmt.Fprintf(&list, "%s %s\n", d, name)
	}
	key := string(blob.Sum([]byte(list.String())))
	f = folder{path: filepath.Join(h.opts.Dir, "models", key), key: key}
	h.mu.Lock()
	h.used[key]++
	h.mu.Unlock()
	placed := f
	defer func() {
		if err != nil {
			err = errors.Join(err, h.release(placed))
		}
	}()
	if _, err := os.Stat(f.path); err != nil {
		if err := writeFolder(f.path, names, files); err != nil {
			return folder{}, err
		}
	}
	err = filepath.WalkDir(f.path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			f.size += info.Size()
		}
		return err
	})
	return f, fault.Wrap(err, fault.Unavailable, "the model's files cannot be read")
}

// release removes a folder that nobody uses any more: the bundle has its files. Its name
// is free at once, so that it may be placed again meanwhile.
func (h *Host) release(f folder) error {
	old, err := h.unname(f)
	if old == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(old))
}

// unname moves a folder that nobody uses any more, and says where to; "" where it stays.
func (h *Host) unname(f folder) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.used[f.key]--; h.used[f.key] > 0 {
		return "", nil
	}
	delete(h.used, f.key)
	old, err := os.MkdirTemp(filepath.Dir(f.path), ".old-*")
	if err == nil {
		err = os.Rename(f.path, filepath.Join(old, "folder"))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it was never written
	}
	return old, err
}

// writeFolder writes the files beside and gives them their place when all are there.
func writeFolder(path string, names []string, files model.Files) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the model's files cannot be written")
	}
	beside, err := os.MkdirTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the model's files cannot be written")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	for _, name := range names {
		content, err := files.Read(name)
		if err != nil {
			return err
		}
		to := filepath.Join(beside, filepath.FromSlash(strings.TrimPrefix(name, Folder)))
		if err = os.MkdirAll(filepath.Dir(to), 0o750); err == nil {
			err = os.WriteFile(to, content, 0o640)
		}
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
		}
	}
	if err := os.Rename(beside, path); err != nil {
		if _, there := os.Stat(path); there == nil {
			return nil // somebody else was faster, with the same content
		}
		return fault.Wrap(err, fault.Unavailable, "the model's files cannot be written")
	}
	return nil
}

// maxDescription bounds MLmodel and requirements.txt.
const maxDescription = 1 << 20

// read reads a small file of the folder; one that is not there is empty.
func (f folder) read(name string) ([]byte, error) {
	path := filepath.Join(f.path, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
	case info.Size() > maxDescription:
		return nil, fault.New(fault.Invalid, "%s has %d bytes", name, info.Size())
	}
	b, err := os.ReadFile(path)
	return b, fault.Wrap(err, fault.Unavailable, "%s cannot be read", name)
}

func (f folder) describe() (described, error) {
	b, err := f.read("MLmodel")
	if err != nil || b == nil {
		return described{}, err
	}
	return describe(b)
}
