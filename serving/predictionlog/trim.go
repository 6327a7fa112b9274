// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// Trimmed is what a Trim took away.
type Trimmed struct {
	Days  int   // of models
	Rows  int64 // predictions
	Bytes int64 // of their sealed files
}

// kept is a day of a model, as it lies in the index.
type kept struct {
	part
	id     int64
	rows   int64
	bytes  int64
	staged bool // some of it is not sealed yet
}

// Trim removes for good the predictions of whole days: of those that ended keep before
// now (0: none for their age), and of the oldest, until the sealed files have at most
// bytes (0: no bound). What is staged counts towards no bound, and goes for its age
// alone. Labels received before keep ago go too. It may be called as Seal may.
func (l *Log) Trim(ctx context.Context, now time.Time, keep time.Duration, bytes int64) (Trimmed, error) {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	defer l.tell(ctx)
	all, err := l.days(ctx)
	if err != nil {
		return Trimmed{}, err
	}
	var out Trimmed
	for _, k := range tooMany(all, now, keep, bytes) {
		if err := l.forget(ctx, k); err != nil {
			return out, err
		}
		out.Days++
		out.Rows += k.rows
		out.Bytes += k.bytes
	}
	l.metrics.trimmed.Add(float64(out.Rows))
	if keep <= 0 {
		return out, nil
	}
	return out, l.forgetLabels(ctx, now.Add(-keep).UnixMicro())
}

// days are all days of all models that hold something, the oldest first.
func (l *Log) days(ctx context.Context) ([]kept, error) {
	rows, err := l.read.QueryContext(ctx, `
		SELECT p.id, p.model, p.day, sum(x.rows), sum(x.bytes), max(x.staged) FROM part p JOIN (
			SELECT part, rows, bytes, 0 AS staged FROM file UNION ALL SELECT part, rows, 0, 1 FROM chunk
		) x ON x.part = p.id GROUP BY p.id ORDER BY p.day, p.model`)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []kept
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.id, &k.model, &k.day, &k.rows, &k.bytes, &k.staged); err != nil {
			return nil, broken(err, "read")
		}
		out = append(out, k)
	}
	return out, broken(rows.Err(), "read")
}

// tooMany are the days to be removed, of all in order of their age.
func tooMany(all []kept, now time.Time, keep time.Duration, bytes int64) []kept {
	var total int64
	for _, k := range all {
		total += k.bytes
	}
	var out []kept
	for _, k := range all {
		old := keep > 0 && (k.day+1)*dayMicros <= now.Add(-keep).UnixMicro()
		full := bytes > 0 && total > bytes && !k.staged
		if old || full {
			out = append(out, k)
			total -= k.bytes
		}
	}
	return out
}

// forget takes a day out of the index, then off the disk. A crash between the two leaves
// files that Open removes, for there is news of them that was not told.
func (l *Log) forget(ctx context.Context, k kept) error {
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return broken(err, "trimmed")
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `INSERT INTO news (what, at, model, day, name, rows, bytes, sha256, was, who, why)
		SELECT ?, ?, p.model, p.day, f.name, f.rows, f.bytes, '', '', '', '' FROM file f JOIN part p ON p.id = f.part WHERE p.id = ?`,
		audit.Trimmed, l.opts.Now().UnixMicro(), k.id); err != nil {
		return broken(err, "trimmed")
	}
	for _, what := range []string{"file", "chunk", "why", "audit"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+what+" WHERE part = ?", k.id); err != nil {
			return broken(err, "trimmed")
		}
	}
	if err := tx.Commit(); err != nil {
		return broken(err, "trimmed")
	}
	if err := l.forgetPlaces(ctx, k.id); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(l.folder(k.part), "*.parquet"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	// What is not ours keeps the folder.
	_ = os.Remove(l.folder(k.part))
	return fault.Wrap(err, fault.Unavailable, "old predictions in %s cannot be removed", l.folder(k.part))
}

// placesAtOnce bounds what one commit forgets, so that predictions do not wait long.
const placesAtOnce = 50_000

// forgetPlaces forgets where names lie. Those that a crash leaves lead to nothing.
func (l *Log) forgetPlaces(ctx context.Context, part int64) error {
	for {
		res, err := l.write.ExecContext(ctx, `DELETE FROM place WHERE part = ?1 AND hash <= (
			SELECT max(hash) FROM (SELECT hash FROM place WHERE part = ?1 ORDER BY hash LIMIT ?2))`, part, placesAtOnce)
		if err != nil {
			return broken(err, "trimmed")
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return broken(err, "trimmed")
		}
	}
}

// forgetLabels removes labels received before a time, and forgets that they wait.
func (l *Log) forgetLabels(ctx context.Context, before int64) error {
	for {
		res, err := l.write.ExecContext(ctx, `DELETE FROM label WHERE seq IN (SELECT seq FROM label WHERE received < ? ORDER BY seq LIMIT ?)`, before, placesAtOnce)
		if err != nil {
			return broken(err, "trimmed")
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return broken(err, "trimmed")
		}
	}
}

// trim trims as the options ask, and says what went.
func (l *Log) trim(ctx context.Context) {
	if l.opts.KeepAudit > 0 {
		if err := l.TrimAudit(ctx, l.opts.Now(), l.opts.KeepAudit); err != nil && ctx.Err() == nil {
			l.opts.Logger.Error("the old audit of predictions is not removed", "err", err)
		}
	}
	if l.opts.KeepFor <= 0 && l.opts.KeepBytes <= 0 {
		return
	}
	got, err := l.Trim(ctx, l.opts.Now(), l.opts.KeepFor, l.opts.KeepBytes)
	if err != nil && ctx.Err() == nil {
		l.opts.Logger.Error("old predictions are not removed", "err", err)
	}
	if got.Days > 0 {
		l.opts.Logger.Info("old predictions were removed", "days", got.Days, "rows", got.Rows, "bytes", got.Bytes)
	}
}

// gone reports whether a file that is not there was trimmed since a scan began.
func (l *Log) gone(ctx context.Context, g segment, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var n int
	err = l.read.QueryRowContext(ctx, `SELECT count(*) FROM file WHERE part = ? AND name = ?`, g.part, g.name).Scan(&n)
	return err == nil && n == 0
}
