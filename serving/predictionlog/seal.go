// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
	"flyball/serving/prediction"
)

// sealRows bounds the rows of one file, as far as whole hours allow.
const sealRows = 1 << 19

// Seal moves the staged rows whose event hour ended olderThan before now, or
// earlier, into Parquet files, one a model and date, and gives how many rows it
// moved. What it has sealed when it fails stays sealed; the rest stays staged. A
// crash at any moment neither loses nor doubles a row. It may be called while others
// append and scan, and whether Run is at work or not; two calls follow each other.
func (l *Log) Seal(ctx context.Context, now time.Time, olderThan time.Duration) (int, error) {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	jobs, err := l.toSeal(ctx, now.Add(-olderThan).UnixMicro())
	if err != nil {
		return 0, err
	}
	defer l.tell(ctx)
	total := 0
	for _, j := range jobs {
		n, err := l.sealPart(ctx, j)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// sealJob is some hours of a part that become one file.
type sealJob struct {
	part
	id       int64 // of the part
	from, to int   // hours, both included
	upTo     int64 // last chunk
	whyTo    int64 // last reasons that were read
}

// toSeal are the hours that ended by limit (microseconds), in files' worth.
func (l *Log) toSeal(ctx context.Context, limit int64) ([]sealJob, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT p.id, p.model, p.day, c.hour, sum(c.rows), max(c.seq)
		FROM chunk c JOIN part p ON p.id = c.part
		WHERE p.day * ? + (c.hour + 1) * ? <= ?
		GROUP BY c.part, c.hour ORDER BY p.model, p.day, c.hour`, dayMicros, hourMicros, limit)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []sealJob
	size := 0
	for rows.Next() {
		var j sealJob
		var n int
		if err := rows.Scan(&j.id, &j.model, &j.day, &j.from, &n, &j.upTo); err != nil {
			return nil, broken(err, "read")
		}
		j.to = j.from
		if k := len(out) - 1; k >= 0 && out[k].id == j.id && size+n <= sealRows {
			out[k].to, out[k].upTo = j.to, max(out[k].upTo, j.upTo)
			size += n
			continue
		}
		out = append(out, j)
		size = n
	}
	return out, broken(rows.Err(), "read")
}

// sealPart writes one file, remembers it, and forgets the staged rows in it. The
// file comes first: a crash between the two leaves a file that Open finds and takes
// away, its rows being staged still.
func (l *Log) sealPart(ctx context.Context, j sealJob) (int, error) {
	rs, err := l.stagedRows(ctx, j)
	if err != nil || len(rs) == 0 {
		return 0, err
	}
	rs = sortUnique(rs)
	if j.whyTo, err = l.reasonsOf(ctx, j, rs); err != nil {
		return 0, err
	}
	f, err := l.writeFile(j.part, rs)
	if err != nil {
		return 0, broken(err, "sealed for %s of %s", j.model, j.date())
	}
	if err := l.remember(context.WithoutCancel(ctx), j, f); err != nil {
		l.takeBack(j, f.name)
		return 0, broken(err, "sealed for %s of %s", j.model, j.date())
	}
	l.metrics.sealed.Add(float64(len(rs)))
	return len(rs), nil
}

// inJob selects the chunks of a job.
const inJob = `part = ? AND hour BETWEEN ? AND ? AND seq <= ?`

func (l *Log) stagedRows(ctx context.Context, j sealJob) ([]prediction.Record, error) {
	return decodeChunks(ctx, l.read, j.model, `SELECT body FROM chunk WHERE `+inJob+` ORDER BY seq`, j.id, j.from, j.to, j.upTo)
}

// queryer is a database or a transaction in it.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// decodeChunks reads the records of the chunks that the query gives.
func decodeChunks(ctx context.Context, db queryer, model, query string, args ...any) ([]prediction.Record, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []prediction.Record
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, broken(err, "read")
		}
		rs, err := decodeBody(model, body)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	return out, broken(rows.Err(), "read")
}

// file is a sealed file as the index knows it.
type file struct {
	name  string
	size  int64
	sum   sum
	sha   string // SHA-256, in hex
	count int
	bounds
}

func fileOf(name string, size int64, d *digests, rs []prediction.Record) file {
	f := file{name: name, size: size, sum: d.sum(), sha: d.sha(), count: len(rs)}
	for i := range rs {
		f.bounds = f.with(i == 0, rs[i].Time.UnixMicro(), rs[i].Due.UnixMicro(), rs[i].At.UnixMicro())
	}
	return f
}

// folder is where the sealed files of a part lie, as DuckDB and pandas expect it.
func (l *Log) folder(p part) string {
	return filepath.Join(l.dir, "model="+p.model, "date="+p.date())
}

// writeFile writes the records to a file of their own, named by the first of them,
// which there is at least one of. When it returns the file is on the disk, whole.
func (l *Log) writeFile(p part, rs []prediction.Record) (out file, err error) {
	dir := l.folder(p)
	if err := makeFolder(l.dir, dir); err != nil {
		return file{}, err
	}
	// The name is taken only when a late row repeats the first id of an older file.
	name := string(rs[0].ID) + ".parquet"
	for i := 2; ; i++ {
		if _, err := os.Lstat(filepath.Join(dir, name)); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil {
			return file{}, err
		}
		name = fmt.Sprintf("%s-%d.parquet", rs[0].ID, i)
	}
	temp := l.temp(p, name)
	if out, err = writeTemp(temp, name, rs); err != nil {
		return file{}, err
	}
	if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
		_ = os.Remove(temp)
		return file{}, err
	}
	if err := syncFolder(dir); err != nil {
		_ = os.Remove(filepath.Join(dir, name))
		return file{}, err
	}
	return out, nil
}

// temp is where a file is while it is written.
func (l *Log) temp(p part, name string) string { return filepath.Join(l.folder(p), "."+name+".tmp") }

// writeTemp writes the records to temp, which becomes name. When it returns all is on the
// disk; after an error there is no file.
func writeTemp(temp, name string, rs []prediction.Record) (out file, err error) {
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return file{}, err
	}
	d := newDigests()
	err = writeSealed(io.MultiWriter(f, d), rs)
	if err == nil {
		err = f.Sync()
	}
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return file{}, err
	}
	return fileOf(name, info.Size(), d, rs), nil
}

// makeFolder makes dir below root so that it survives a power failure.
func makeFolder(root, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for d := filepath.Dir(dir); ; d = filepath.Dir(d) {
		if err := syncFolder(d); err != nil || d == root {
			return err
		}
	}
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// remember puts the file in the index and deletes its staged rows, both or neither.
func (l *Log) remember(ctx context.Context, j sealJob, f file) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := putFile(ctx, tx, j.id, f); err != nil {
		return err
	}
	if err := l.putNews(ctx, tx, j.part, news{what: audit.Sealed, file: f}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM chunk WHERE `+inJob, j.id, j.from, j.to, j.upTo); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM why WHERE `+inJob, j.id, j.from, j.to, j.whyTo); err != nil {
		return err
	}
	if err := l.gather(ctx, tx, j); err != nil {
		return err
	}
	return tx.Commit()
}

func putFile(ctx context.Context, tx *sql.Tx, part int64, f file) error {
	b := f.bounds
	_, err := tx.ExecContext(ctx, `INSERT INTO file (part, name, rows, bytes, crc, min_time, max_time, min_due, max_due, min_at, max_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, part, f.name, f.count, f.size, f.sum, b.minTime, b.maxTime, b.minDue, b.maxDue, b.minAt, b.maxAt)
	return err
}

// takeBack removes a file that could not be remembered. A commit may fail after it
// was done, so the index is asked first; when it does not answer, the file stays
// and the next Open decides.
func (l *Log) takeBack(j sealJob, name string) {
	var n int
	err := l.write.QueryRowContext(context.Background(), `SELECT count(*) FROM file WHERE part = ? AND name = ?`, j.id, name).Scan(&n)
	if err != nil || n > 0 {
		return
	}
	if err := os.Remove(filepath.Join(l.folder(j.part), name)); err != nil {
		l.opts.Logger.Warn("a Parquet file that is not in the index stays until the next start",
			"err", fault.Wrap(err, fault.Unavailable, "remove %s", name))
	}
}
