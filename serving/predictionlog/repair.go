// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// repair puts right what a crash has left: half-written files go, and a whole file
// that the index does not know goes too if each of its rows is kept elsewhere. If
// not (staged.db is lost, or older than the file) it is taken into the index: rows
// are never thrown away because a table does not mention them.
func (l *Log) repair(ctx context.Context) error {
	if err := l.removeCopies(); err != nil {
		return err
	}
	if err := l.finishForgotten(ctx); err != nil {
		return err
	}
	models, err := os.ReadDir(l.dir)
	if err != nil {
		return broken(err, "opened")
	}
	for _, m := range models {
		model, ok := strings.CutPrefix(m.Name(), "model=")
		if !ok || !m.IsDir() || ident.CheckModel(model) != nil {
			continue
		}
		dates, err := os.ReadDir(filepath.Join(l.dir, m.Name()))
		if err != nil {
			return broken(err, "opened")
		}
		for _, d := range dates {
			text, ok := strings.CutPrefix(d.Name(), "date=")
			day, err := time.Parse(time.DateOnly, text)
			if !ok || err != nil || !d.IsDir() {
				continue
			}
			p, _ := partOf(model, day.UnixMicro())
			if err := l.repairPart(ctx, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Log) repairPart(ctx context.Context, p part) error {
	entries, err := os.ReadDir(l.folder(p))
	if err != nil {
		return broken(err, "opened")
	}
	known, err := l.filesOf(ctx, p)
	if err != nil {
		return err
	}
	gone, err := l.untold(ctx, p)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		_, indexed := known[name]
		path := filepath.Join(l.folder(p), name)
		switch {
		case strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".parquet.tmp"), gone[name] && !indexed:
			if err := os.Remove(path); err != nil {
				return broken(err, "cleaned")
			}
		case strings.HasSuffix(name, ".parquet") && !indexed:
			if err := l.reconcile(ctx, p, name, known); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Log) filesOf(ctx context.Context, p part) (map[string]sum, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT f.name, f.crc FROM file f JOIN part p ON p.id = f.part WHERE p.model = ? AND p.day = ?`, p.model, p.day)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	out := map[string]sum{}
	for rows.Next() {
		var name string
		var s sum
		if err := rows.Scan(&name, &s); err != nil {
			return nil, broken(err, "read")
		}
		out[name] = s
	}
	return out, broken(rows.Err(), "read")
}

// reconcile decides about a file that the index does not know.
func (l *Log) reconcile(ctx context.Context, p part, name string, known map[string]sum) error {
	path := filepath.Join(l.folder(p), name)
	rs, err := readSealed(path, p.model, noSum, nil, 0, false)
	if err != nil {
		return err
	}
	elsewhere, err := l.idsOf(ctx, p, known)
	if err != nil {
		return err
	}
	for i := range rs {
		if !elsewhere[rs[i].ID] {
			l.opts.Logger.Warn("a Parquet file was not in the index and is taken in", "file", path, "rows", len(rs))
			s, err := l.adopt(ctx, p, path, rs)
			known[name] = s
			return err
		}
	}
	// It may be in the chain, where staged.db is older than it.
	d, size, err := digestsOf(path)
	if err != nil {
		return broken(err, "cleaned")
	}
	if err := l.putNews(ctx, l.write, p, news{
		what: audit.Trimmed, why: "all its rows are kept elsewhere", was: d.sha(), file: file{name: name, count: len(rs), size: size},
	}); err != nil {
		return broken(err, "cleaned")
	}
	return broken(os.Remove(path), "cleaned")
}

// idsOf are the ids of a part that are staged or in a known file.
func (l *Log) idsOf(ctx context.Context, p part, known map[string]sum) (map[ident.PredictionID]bool, error) {
	rs, err := decodeChunks(ctx, l.read, p.model, `SELECT c.body FROM chunk c JOIN part p ON p.id = c.part WHERE p.model = ? AND p.day = ?`, p.model, p.day)
	if err != nil {
		return nil, err
	}
	out := make(map[ident.PredictionID]bool, len(rs))
	for i := range rs {
		out[rs[i].ID] = true
	}
	for name, s := range known {
		_, err := readSealed(filepath.Join(l.folder(p), name), p.model, s, func(x place) bool {
			out[ident.PredictionID(x.ID)] = true
			return false
		}, 0, false)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// adopt takes a file and its names into the index, and gives its sum.
func (l *Log) adopt(ctx context.Context, p part, path string, rs []prediction.Record) (sum, error) {
	d, size, err := digestsOf(path)
	if err != nil {
		return 0, broken(err, "read")
	}
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, broken(err, "written")
	}
	defer func() { _ = tx.Rollback() }()
	id, err := l.partID(ctx, tx, p)
	if err != nil {
		return 0, broken(err, "written")
	}
	names := map[int][]int64{}
	for i := range rs {
		_, hour := partOf(p.model, rs[i].Time.UnixMicro())
		for _, name := range namesOf(&rs[i]) {
			names[hour] = append(names[hour], hashOf(name))
		}
	}
	for hour, of := range names {
		if err := l.putPlaces(ctx, tx, p.model, id, hour, of); err != nil {
			return 0, broken(err, "written")
		}
	}
	found := fileOf(filepath.Base(path), size, d, rs)
	if err := putFile(ctx, tx, id, found); err != nil {
		return 0, broken(err, "written")
	}
	if err := l.putNews(ctx, tx, p, news{what: audit.Sealed, why: "it was not in the index", file: found}); err != nil {
		return 0, broken(err, "written")
	}
	return found.sum, broken(tx.Commit(), "written")
}
