// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"flyball/fault"
	"flyball/ident"
)

// Source is where Install has a log from.
type Source struct {
	Name   string // of the checkpoint: see Log.SetBase
	Files  []File
	Fetch  func(ctx context.Context, f File, to io.Writer) error // writes a sealed file
	Staged func(ctx context.Context, to io.Writer) error         // writes what Image has written
}

// Install makes the folder the log that an image was made of, in place of what is in it:
// sealed files that are there already, with the same bytes, stay; others go. No process
// may have it open. After an error or a crash there is no log in the folder, and Install is
// called again. The log is another Origin than the one that the image was made of.
func Install(ctx context.Context, dir string, from Source) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder %s of the prediction log cannot be made", dir)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	l := &Log{dir: dir, opts: Options{}.withDefaults(), parts: map[part]int64{}, waiting: map[string]int64{}}
	path := filepath.Join(dir, "staged.db")
	if err := removeAll(path, path+"-wal", path+"-shm"); err != nil { // first: what follows is not as it says
		return broken(err, "restored")
	}
	if err := syncFolder(dir); err != nil {
		return broken(err, "restored")
	}
	if err := l.installFiles(ctx, from); err != nil {
		return broken(err, "restored")
	}
	temp := path + ".restored"
	if err := l.installStaged(ctx, temp, from); err != nil {
		return broken(err, "restored")
	}
	return broken(errors.Join(os.Rename(temp, path), syncFolder(dir)), "restored")
}

func removeAll(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// installFiles has the folder hold the files and no others.
func (l *Log) installFiles(ctx context.Context, from Source) error {
	want := map[string]File{}
	for _, f := range from.Files {
		model, _, _, ok := partPath(f.Path)
		if !ok || ident.CheckModel(model) != nil {
			return fault.New(fault.Invalid, "%q is no sealed file of predictions", f.Path)
		}
		want[f.Path] = f
	}
	have, err := l.sealedPaths()
	if err != nil {
		return err
	}
	for path := range have {
		full := filepath.Join(l.dir, filepath.FromSlash(path))
		d, _, err := digestsOf(full)
		if err != nil {
			return err
		}
		if f, ok := want[path]; ok && d.sha() == f.SHA256 {
			delete(want, path)
			continue
		}
		if err := os.Remove(full); err != nil {
			return err
		}
	}
	for _, f := range want {
		if err := l.fetch(ctx, f, from); err != nil {
			return err
		}
	}
	return nil
}

// fetch puts one file in its place, when all of it is on the disk.
func (l *Log) fetch(ctx context.Context, f File, from Source) error {
	full := filepath.Join(l.dir, filepath.FromSlash(f.Path))
	dir, name := filepath.Split(full)
	if err := makeFolder(l.dir, filepath.Clean(dir)); err != nil {
		return err
	}
	temp := filepath.Join(dir, "."+name+".tmp") // as a seal names what it writes
	sha, err := download(temp, func(w io.Writer) error { return from.Fetch(ctx, f, w) })
	if err != nil {
		return err
	}
	if sha != f.SHA256 {
		return fault.New(fault.Unavailable, "%s is not as it was kept: its SHA-256 is %s, not %s", f.Path, sha, f.SHA256).
			Do("restore the object from the bucket's versions")
	}
	return errors.Join(os.Rename(temp, full), syncFolder(dir))
}

// download has write fill a new file, and gives its SHA-256.
func download(path string, write func(io.Writer) error) (string, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = write(io.MultiWriter(f, h))
	if err == nil {
		err = f.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, f.Close())
}

// installStaged makes a staging file of the image at path.
func (l *Log) installStaged(ctx context.Context, path string, from Source) error {
	if err := removeAll(path, path+"-wal", path+"-shm"); err != nil {
		return err
	}
	if _, err := download(path, func(w io.Writer) error { return from.Staged(ctx, w) }); err != nil {
		return err
	}
	db, err := openWrite(ctx, path, l.opts)
	if err != nil {
		return err
	}
	// The file is of no use before it is renamed, and whole then: its close syncs it.
	_, err = db.ExecContext(ctx, `PRAGMA synchronous = NORMAL; PRAGMA cache_size = -64000`)
	if err == nil {
		l.write, l.read = db, db
		err = l.findPlaces(ctx)
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `INSERT INTO shipping (one, origin, moves, seq, upto, last, base) VALUES (1, ?, 0, 0, 0, 0, ?)`, newOrigin(), from.Name)
	}
	return errors.Join(err, db.Close())
}

// findPlaces tells where all names lie, from the files and the chunks.
func (l *Log) findPlaces(ctx context.Context) error {
	all, err := l.sealedParts(ctx)
	if err != nil {
		return err
	}
	for _, g := range all {
		names := map[int][]int64{}
		path := filepath.Join(l.folder(g.part), g.name)
		if _, err := readSealed(path, g.model, g.sum, func(x place) bool {
			_, hour := partOf(g.model, x.Time)
			names[hour] = append(names[hour], hashOf(idName(ident.PredictionID(x.ID))))
			if x.Key != "" {
				names[hour] = append(names[hour], hashOf(keyName(x.Key)))
			}
			return false
		}, 0, false); err != nil {
			return err
		}
		if err := l.try(ctx, func(ctx context.Context, tx *sql.Tx) error {
			for hour, of := range names {
				if err := l.putPlaces(ctx, tx, g.model, g.id, hour, of); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return l.try(ctx, l.findStaged)
}

// findStaged is findPlaces for what is staged.
func (l *Log) findStaged(ctx context.Context, tx *sql.Tx) error {
	var last int64
	for {
		var seq, id int64
		var c chunk
		err := tx.QueryRowContext(ctx, `SELECT c.seq, c.part, c.hour, p.model, c.body FROM chunk c JOIN part p ON p.id = c.part WHERE c.seq > ? ORDER BY c.seq LIMIT 1`, last).
			Scan(&seq, &id, &c.hour, &c.model, &c.body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		rs, err := decodeBody(c.model, c.body)
		if err != nil {
			return err
		}
		for i := range rs {
			for _, name := range namesOf(&rs[i]) {
				c.names = append(c.names, hashOf(name))
			}
		}
		if err := l.putPlaces(ctx, tx, c.model, id, c.hour, c.names); err != nil {
			return err
		}
		last = seq
	}
}

// sealedPart is a sealed file with its part.
type sealedPart struct {
	part
	id   int64
	name string
	sum  sum
}

func (l *Log) sealedParts(ctx context.Context) ([]sealedPart, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT p.id, p.model, p.day, f.name, f.crc FROM file f JOIN part p ON p.id = f.part ORDER BY p.id, f.name`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []sealedPart
	for rows.Next() {
		var g sealedPart
		if err := rows.Scan(&g.id, &g.model, &g.day, &g.name, &g.sum); err != nil {
			return nil, fmt.Errorf("the sealed files: %w", err)
		}
		out = append(out, g)
	}
	return out, rows.Err()
}
