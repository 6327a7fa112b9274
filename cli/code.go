// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/blob"
	"flyball/fault"
	"flyball/model/registry"
)

// maxCode bounds the files of a command, in number and in bytes.
const (
	maxCodeFiles = 1000
	maxCodeBytes = 100 << 20
)

// code finds the files that a command consists of, beside the model file: those that it
// names, with what lies in folders, or else its arguments that are files.
func (m *modelFile) code(dir string) error {
	t := m.Train
	if len(t.Command) == 0 {
		return nil
	}
	names := slices.Clone(t.Code)
	if len(names) == 0 {
		for _, arg := range t.Command {
			if info, err := os.Stat(filepath.Join(dir, arg)); err == nil && filepath.IsLocal(arg) && info.Mode().IsRegular() {
				names = append(names, arg)
			}
		}
	}
	if t.Environment != "" {
		names = append(names, t.Environment)
	}
	m.codePaths = map[string]string{}
	for _, name := range names {
		if !filepath.IsLocal(name) {
			return fault.New(fault.Invalid, "train.code names %q, which does not lie beside the model file", name).Do("copy it there")
		}
		if err := m.codeBelow(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// codeBelow adds a file, or the files of a folder. What Python keeps for itself, and what
// is hidden, is left out.
func (m *modelFile) codeBelow(dir, name string) error {
	root, total := filepath.Join(dir, name), int64(0)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "__pycache__"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if total += info.Size(); len(m.codePaths) >= maxCodeFiles || total > maxCodeBytes {
			return fault.New(fault.TooLarge, "the code in %s has more than %d files, or more than %d bytes", name, maxCodeFiles, maxCodeBytes).
				Do("name under train.code what the command needs")
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			m.codePaths[filepath.ToSlash(rel)] = path
		}
		return err
	})
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	return fault.Wrap(err, fault.NotFound, "the code %s of the command cannot be read", root)
}

// sendCode uploads the code, or only works out its digests.
func (m *modelFile) sendCode(ctx context.Context, e *env, send bool) error {
	for _, name := range slices.Sorted(maps.Keys(m.codePaths)) {
		raw, err := os.ReadFile(m.codePaths[name])
		if err != nil {
			return fault.Wrap(err, fault.NotFound, "%s cannot be read", m.codePaths[name])
		}
		file := registry.DataFile{Digest: blob.Sum(raw), Size: int64(len(raw))}
		if send {
			e.say("sending %s", name)
			if _, err := e.client().Upload(ctx, bytes.NewReader(raw)); err != nil {
				return err
			}
		}
		m.putCode(name, file)
	}
	return nil
}

// keepCode keeps the code in a store of this machine.
func (m *modelFile) keepCode(ctx context.Context, blobs blob.Store) error {
	for _, name := range slices.Sorted(maps.Keys(m.codePaths)) {
		raw, err := os.ReadFile(m.codePaths[name])
		if err != nil {
			return fault.Wrap(err, fault.NotFound, "%s cannot be read", m.codePaths[name])
		}
		d, n, err := blobs.Put(ctx, bytes.NewReader(raw))
		if err != nil {
			return err
		}
		m.putCode(name, registry.DataFile{Digest: d, Size: n})
	}
	return nil
}

func (m *modelFile) putCode(name string, file registry.DataFile) {
	if m.application.Code == nil {
		m.application.Code = map[string]registry.DataFile{}
	}
	m.application.Code[name] = file
}
