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
	"strings"

	"flyball/fault"
)

// File is a sealed file.
type File struct {
	Path   string `json:"path"` // below the folder of the log, with slashes
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	CRC    uint32 `json:"crc32c"`
	SHA256 string `json:"sha256"` // in hex
}

// Image is a log at one moment: its sealed files, and what its copy of staged.db knows of
// each origin, this log's own among them. The files' SHA256 are not known yet.
type Image struct {
	Origin string
	Files  []File
	Taken  []Mark
}

// imaged are the tables that are copied as they are. Where names lie (place) is found
// again from the rows; what waits to be shipped is kept in the other tables, too.
var imaged = []string{"part", "chunk", "file", "label", "waiting", "why", "audit", "news", "taken"}

// Image writes what of the log is not in sealed files to a new file at path, from which
// Install makes a log again. The log must be one that copies. It may be called as Seal may.
func (l *Log) Image(ctx context.Context, path string) (Image, error) {
	var out Image
	if err := l.Flush(ctx); err != nil {
		return out, err
	}
	l.sealing.Lock()
	defer l.sealing.Unlock()
	to, err := openWrite(ctx, path, l.opts)
	if err != nil {
		return out, err
	}
	if err := to.Close(); err != nil {
		return out, broken(err, "copied")
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(l.dir, "staged.db"), l.opts, "deferred", "cache_size(-4000)"))
	if err != nil {
		return out, broken(err, "copied")
	}
	db.SetMaxOpenConns(1)
	err = copyTables(ctx, db, path)
	if err == nil {
		out, err = readImage(ctx, db)
	}
	return out, broken(errors.Join(err, db.Close()), "copied")
}

// copyTables copies all that an image holds, as of one moment.
func copyTables(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, `ATTACH DATABASE ? AS image`, path); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, table := range imaged {
		if _, err := tx.ExecContext(ctx, `INSERT INTO image.`+table+` SELECT * FROM main.`+table); err != nil {
			return err
		}
	}
	// Who goes on from the image is another origin, and has all that this one has kept,
	// whether it was shipped or not.
	if _, err := tx.ExecContext(ctx, `INSERT INTO image.taken (origin, seq, entry, upto)
		SELECT origin, seq, coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'outbox'), 0), upto FROM main.shipping`); err != nil {
		return err
	}
	return tx.Commit()
}

// readImage tells what is in an attached image.
func readImage(ctx context.Context, db *sql.DB) (Image, error) {
	var out Image
	if err := db.QueryRowContext(ctx, `SELECT origin FROM main.shipping`).Scan(&out.Origin); err != nil {
		return out, fault.Wrap(err, fault.Conflict, "the prediction log is not shared, so there is no image of it")
	}
	rows, err := db.QueryContext(ctx, `SELECT p.model, p.day, f.name, f.rows, f.bytes, f.crc FROM image.file f JOIN image.part p ON p.id = f.part ORDER BY p.model, p.day, f.name`)
	if err != nil {
		return out, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n news
		var f File
		if err := rows.Scan(&n.model, &n.day, &n.name, &f.Rows, &f.Bytes, &f.CRC); err != nil {
			return out, err
		}
		f.Path = n.path()
		out.Files = append(out.Files, f)
	}
	if err := rows.Err(); err != nil {
		return out, err
	}
	if err := rows.Close(); err != nil {
		return out, err
	}
	taken, err := db.QueryContext(ctx, `SELECT origin, seq, upto FROM image.taken ORDER BY origin`)
	if err != nil {
		return out, err
	}
	out.Taken, err = marksOf(taken)
	return out, err
}

// OpenFile opens a sealed file of an image, and fills in its SHA256. Where it was written
// anew or trimmed since, it is a Conflict fault.
func (l *Log) OpenFile(f File) (io.ReadSeekCloser, File, error) {
	in, err := os.Open(filepath.Join(l.dir, filepath.FromSlash(f.Path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, f, fault.New(fault.Conflict, "%s was removed since", f.Path)
	}
	if err != nil {
		return nil, f, broken(err, "read")
	}
	d := newDigests()
	_, err = io.Copy(d, in)
	if err == nil {
		_, err = in.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, f, broken(errors.Join(err, in.Close()), "read")
	}
	if d.sum() != sum(f.CRC) {
		_ = in.Close()
		return nil, f, fault.New(fault.Conflict, "%s was written anew since", f.Path)
	}
	f.SHA256 = d.sha()
	return in, f, nil
}

// State is what a folder tells of itself before it is opened.
type State struct {
	Log    bool     // there is a log in it
	Empty  bool     // it holds nothing, or there is none
	Origin string   // whom it ships as; empty: it was never shared
	Moves  bool     // it moves what it has
	Bases  []string // see Log.SetBase
}

// Look tells what is in a folder, which no process has open. It changes nothing.
func Look(ctx context.Context, dir string) (State, error) {
	path := filepath.Join(dir, "staged.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return State{Empty: true}, nil
	} else if err != nil {
		return State{}, broken(err, "read")
	}
	db, err := openRead(path, Options{}.withDefaults())
	if err != nil {
		return State{}, err
	}
	defer func() { _ = db.Close() }()
	l := &Log{dir: dir, read: db}
	out := State{Log: true, Empty: l.holdsNothing(ctx) == nil}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT user_version FROM pragma_user_version`).Scan(&version); err != nil || version < 6 {
		return out, broken(err, "read")
	}
	s, err := l.readShipping(ctx)
	out.Origin, out.Moves, out.Bases = s.origin, s.moves, strings.Fields(s.base)
	return out, err
}

// partPath splits the path of a sealed file; false: no log wrote it.
func partPath(path string) (model, date, name string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return "", "", "", false
	}
	model, m := strings.CutPrefix(parts[0], "model=")
	date, d := strings.CutPrefix(parts[1], "date=")
	return model, date, parts[2], m && d && filepath.IsLocal(filepath.FromSlash(path)) && strings.HasSuffix(parts[2], ".parquet")
}
