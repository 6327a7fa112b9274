// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"flyball/fault"
)

// Frozen is the log at one moment, as files that nothing changes any more: under Paths, by
// the path of each below the folder of the log, with slashes. Close removes them; the
// log itself stays as it is.
type Frozen struct {
	dir   string
	names []string
	paths map[string]string
}

// copies is how the folders of copies begin; whatever reads the log passes over them.
const copies = ".copy-"

// Freeze takes the log as it is now. While it does, others append and scan, and nothing is
// sealed, trimmed or told to the audit chain; during is called in between, so that what it
// begins to read there (the records of the same moment) has the chain that these files
// belong to. Labels and predictions may be younger than that by as long as the copy of the
// staged rows takes, and never older.
func (l *Log) Freeze(ctx context.Context, during func() error) (*Frozen, error) {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	return l.freeze(ctx, during)
}

// FreezeFolder is Freeze of a log that nobody has open. It changes nothing in it. A folder that
// another process has open is a Conflict fault; one that is not there has nothing to copy.
func FreezeFolder(ctx context.Context, dir string, during func() error) (_ *Frozen, err error) {
	l := &Log{dir: dir, opts: Options{}.withDefaults()}
	if _, err := os.Stat(filepath.Join(dir, staging)); errors.Is(err, fs.ErrNotExist) {
		return &Frozen{}, during()
	}
	if l.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	c, err := l.freeze(ctx, during)
	return c, errors.Join(err, l.lock.Close())
}

// freeze copies what nobody seals meanwhile.
func (l *Log) freeze(ctx context.Context, during func() error) (_ *Frozen, err error) {
	if err := during(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.dir, copies)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "the predictions cannot be copied")
	}
	c := &Frozen{dir: dir, paths: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	staged := filepath.Join(dir, "staged")
	if err := l.copyStaged(ctx, staged); err != nil {
		return nil, broken(err, "copied")
	}
	c.add(staging, staged)
	sealed, err := l.sealedPaths()
	if err != nil {
		return nil, err
	}
	for path := range sealed {
		to := filepath.Join(dir, strconv.Itoa(len(c.names)))
		if err := link(filepath.Join(l.dir, filepath.FromSlash(path)), to); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "%s cannot be copied", path)
		}
		c.add(path, to)
	}
	slices.Sort(c.names)
	return c, nil
}

// staging is the file with the rows that are not sealed yet.
const staging = "staged.db"

// copyStaged writes the staged rows to a file of their own. It takes a connection of its
// own: the one that writes has commits to make, and those that read may write nothing.
func (l *Log) copyStaged(ctx context.Context, to string) error {
	db, err := sql.Open("sqlite", dsn(filepath.Join(l.dir, staging), l.opts, "deferred"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	return errors.Join(err, db.Close())
}

func (c *Frozen) add(name, path string) {
	c.names = append(c.names, name)
	c.paths[name] = path
}

// Names are the paths of its files below the folder of a log, in order.
func (c *Frozen) Names() []string { return c.names }

// Path is where one of them lies.
func (c *Frozen) Path(name string) string { return c.paths[name] }

// Close removes the copy. Closing twice is closing once.
func (c *Frozen) Close() error {
	if c.dir == "" {
		return nil
	}
	return fault.Wrap(os.RemoveAll(c.dir), fault.Unavailable, "the copy of the predictions cannot be removed")
}

// link gives a file a second name, or copies it where the file system has none: sealed
// files are replaced, never rewritten.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// removeCopies removes what a killed process was copying.
func (l *Log) removeCopies() error {
	entries, err := os.ReadDir(l.dir)
	for _, e := range entries {
		if err == nil && strings.HasPrefix(e.Name(), copies) {
			err = os.RemoveAll(filepath.Join(l.dir, e.Name()))
		}
	}
	return broken(err, "cleaned")
}
