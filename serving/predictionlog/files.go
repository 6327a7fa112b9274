// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/fault"
	"flyball/governance/audit"
)

var _ audit.Folder = (*Log)(nil)

// CheckFiles reads every sealed file and compares it with what the audit chain says of
// it. It names each file that was changed, removed or added; one that is sealed and not
// in the chain yet only waits. What is sealed or trimmed meanwhile is looked at again.
// It changes nothing, and may be used while others append, scan and seal.
func (l *Log) CheckFiles(ctx context.Context, want func(context.Context) (audit.Files, error), tell func(done, total int, bytes int64)) (audit.Checked, error) {
	var out audit.Checked
	files, err := want(ctx)
	if err != nil {
		return out, err
	}
	paths, err := l.sealedPaths()
	if err != nil {
		return out, err
	}
	for path := range files {
		paths[path] = true
	}
	var doubtful []string
	for i, path := range slices.Sorted(maps.Keys(paths)) {
		tell(i, len(paths), out.Bytes)
		size, wrong, err := l.compare(ctx, path, files)
		if err != nil {
			return out, err
		}
		if wrong != "" {
			doubtful = append(doubtful, path)
			continue
		}
		out.Files++
		out.Bytes += size
	}
	return out, l.again(ctx, doubtful, want, &out)
}

// again looks at files that were not as the chain had them, while nothing is sealed or
// trimmed.
func (l *Log) again(ctx context.Context, doubtful []string, want func(context.Context) (audit.Files, error), out *audit.Checked) error {
	if len(doubtful) == 0 {
		return nil
	}
	l.sealing.Lock()
	defer l.sealing.Unlock()
	untold, err := l.readNews(ctx) // before the chain: what is told in between is in both
	if err != nil {
		return err
	}
	files, err := want(ctx)
	if err != nil {
		return err
	}
	for _, path := range doubtful {
		_, told := files[path]
		var waits bool
		for _, n := range untold {
			waits = waits || n.path() == path
		}
		size, wrong, err := l.compare(ctx, path, files)
		switch {
		case err != nil:
			return err
		case wrong == "" && told:
			out.Files++
			out.Bytes += size
		case wrong == "": // it is gone, and the chain says so
		case waits && l.asTold(ctx, path, untold):
			out.Waiting++
		default:
			out.Wrong = append(out.Wrong, wrong)
		}
	}
	return nil
}

// asTold reports whether a file is as the last news of it says.
func (l *Log) asTold(ctx context.Context, path string, untold []news) bool {
	for _, n := range slices.Backward(untold) {
		if n.path() != path {
			continue
		}
		if n.what == audit.Sealed && n.sha == "" {
			return true // of before there was news: its other sum is compared when it is told
		}
		files := audit.Files{}
		if n.sha != "" {
			files[path] = audit.File{SHA256: n.sha, Bytes: n.size}
		}
		_, wrong, err := l.compare(ctx, path, files)
		return err == nil && wrong == ""
	}
	return false
}

// compare gives the size of a file, and a sentence where it is not as files say.
func (l *Log) compare(ctx context.Context, path string, files audit.Files) (size int64, wrong string, err error) {
	if err := ctx.Err(); err != nil {
		return 0, "", fault.Wrap(err, fault.Unavailable, "the sealed predictions were not read to the end")
	}
	want, told := files[path]
	full := filepath.Join(l.dir, filepath.FromSlash(path))
	info, err := os.Lstat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !told:
		return 0, "", nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, fmt.Sprintf("%s was removed: %d predictions", path, want.Rows), nil
	case err != nil:
		return 0, "", fault.Wrap(err, fault.Unavailable, "%s cannot be read", path)
	case !told:
		return 0, path + " was added: the chain knows no such file", nil
	case !info.Mode().IsRegular():
		return 0, path + " was changed: it is no file", nil
	case info.Size() != want.Bytes:
		return 0, fmt.Sprintf("%s was changed: it has %d bytes, the chain says %d", path, info.Size(), want.Bytes), nil
	}
	d, _, err := digestsOf(full)
	if errors.Is(err, fs.ErrNotExist) { // trimmed this moment: it is looked at again
		return 0, fmt.Sprintf("%s was removed: %d predictions", path, want.Rows), nil
	}
	if err != nil {
		return 0, "", fault.Wrap(err, fault.Unavailable, "%s cannot be read", path)
	}
	if d.sha() != want.SHA256 {
		return 0, path + " was changed: its SHA-256 is not the one in the chain", nil
	}
	return info.Size(), "", nil
}

// sealedPaths are all files that a reader of the folder would take for predictions, with
// slashes.
func (l *Log) sealedPaths() (map[string]bool, error) {
	out := map[string]bool{}
	err := filepath.WalkDir(l.dir, func(full string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // trimmed this moment
		}
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".parquet") {
			return nil
		}
		rel, err := filepath.Rel(l.dir, full)
		out[filepath.ToSlash(rel)] = true
		return err
	})
	return out, fault.Wrap(err, fault.Unavailable, "the folder of predictions cannot be read")
}
