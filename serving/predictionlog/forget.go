// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/serving/prediction"
)

// Forget removes for good what is kept of a caller's key: its predictions, staged and
// sealed, with their reasons and groups, and its labels. A sealed file is written anew
// without them, and each such file is told by who and why. model "" means all models.
//
// It goes day by day, and each day is done or not; after a crash or an error it is called
// again, and goes on. What comes of the key meanwhile is kept: whoever forgets somebody
// stops asking about them first. Of a log that is shared, copies are in the bucket until the
// next checkpoint, and what was not taken yet still comes.
func (l *Log) Forget(ctx context.Context, model, key, who, why string) (prediction.Forgotten, error) {
	var out prediction.Forgotten
	if key == "" {
		return out, fault.New(fault.Invalid, "there is no key to forget")
	}
	if err := l.Flush(ctx); err != nil {
		return out, err
	}
	l.sealing.Lock()
	defer l.sealing.Unlock()
	defer l.tell(ctx)
	if _, err := l.write.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil { // what is deleted is overwritten
		return out, broken(err, "written")
	}
	defer func() { _, _ = l.write.ExecContext(context.WithoutCancel(ctx), `PRAGMA secure_delete = OFF`) }()
	places, err := l.placesOf(ctx, model, key)
	if err != nil {
		return out, err
	}
	for _, p := range places {
		if err := l.forgetPart(context.WithoutCancel(ctx), p, key, who, why, &out); err != nil {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			f := fault.New(fault.Unavailable, "not all of the key is forgotten").Do("run it again: it goes on")
			f.Cause = err
			return out, f
		}
	}
	if out.Labels, err = l.forgetNames(ctx, model, keyName(key), out.Labels); err != nil {
		return out, err
	}
	out.Shared = l.opts.Shipping == Copy
	select {
	case l.forgot <- struct{}{}:
	default:
	}
	out.Traces, err = l.wipe(ctx)
	return out, err
}

// Forgot tells when something was forgotten since it told last. Who has copies of the log
// makes new ones then.
func (l *Log) Forgot() <-chan struct{} { return l.forgot }

// wipeBytes bounds the staging file that is written anew to wipe it: nothing can be
// committed meanwhile.
const wipeBytes = 256 << 20

// wipe removes what was deleted from the free space of the staging file and from its
// journal. true: the file is too large for that, or somebody reads it.
func (l *Log) wipe(ctx context.Context) (traces bool, err error) {
	var used int64
	if err := l.write.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&used); err != nil {
		return true, broken(err, "read")
	}
	if used > wipeBytes {
		return true, nil
	}
	if _, err := l.write.ExecContext(ctx, `VACUUM`); err != nil {
		return true, broken(err, "written")
	}
	// Whoever reads keeps the journal: nobody waits long for them.
	if _, err := l.write.ExecContext(ctx, `PRAGMA busy_timeout = 200`); err != nil {
		return true, broken(err, "written")
	}
	var busy, pages, moved int
	err = l.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	_, again := l.write.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, l.opts.busy.Milliseconds()))
	return busy != 0, broken(errors.Join(err, again), "written")
}

// lying is a day on which a key lies, and its hours.
type lying struct {
	part
	id    int64
	hours []int
}

// placesOf are the days on which a key is said to lie.
func (l *Log) placesOf(ctx context.Context, model, key string) ([]lying, error) {
	rows, err := l.read.QueryContext(ctx, `SELECT part.id, part.model, part.day, place.hour FROM part CROSS JOIN place ON place.part = part.id AND place.hash = ?1
		WHERE ?2 = '' OR part.model = ?2 ORDER BY part.day, part.model, place.hour`, hashOf(keyName(key)), model)
	if err != nil {
		return nil, broken(err, "read")
	}
	defer func() { _ = rows.Close() }()
	var out []lying
	for rows.Next() {
		var p lying
		var hour int
		if err := rows.Scan(&p.id, &p.model, &p.day, &hour); err != nil {
			return nil, broken(err, "read")
		}
		if n := len(out) - 1; n < 0 || out[n].id != p.id {
			out = append(out, p)
		}
		n := len(out) - 1
		out[n].hours = append(out[n].hours, hour)
	}
	return out, broken(rows.Err(), "read")
}

// rewritten is a sealed file and what is to stand in its place.
type rewritten struct {
	name string // as it is in the index
	was  string // SHA-256
	temp string // the new file, on the disk; empty: nothing is left
	file file
}

// forgetPart takes a key out of a day. The new files are written beside the old ones;
// then one transaction forgets all else and says which files are to be put in place;
// then they are. A crash after the transaction is made up for by Open.
func (l *Log) forgetPart(ctx context.Context, p lying, key, who, why string, out *prediction.Forgotten) error {
	ids := map[ident.PredictionID]bool{}
	first := out.Since[p.model]
	note := func(r *prediction.Record) {
		if !ids[r.ID] && (first.IsZero() || r.At.Before(first)) {
			first = r.At
		}
		ids[r.ID] = true
	}
	files, err := l.rewrite(ctx, p, key, note)
	decided := false
	defer func() {
		for _, f := range files {
			if f.temp != "" && !decided {
				_ = os.Remove(f.temp)
			}
		}
	}()
	if err != nil {
		return err
	}
	tx, err := l.write.BeginTx(ctx, nil)
	if err != nil {
		return broken(err, "written")
	}
	defer func() { _ = tx.Rollback() }()
	if err := forgetStaged(ctx, tx, p, key, note); err != nil {
		return err
	}
	labels, err := l.forgetRest(ctx, tx, p, key, ids)
	if err != nil {
		return broken(err, "written")
	}
	for _, f := range files {
		if err := l.replaceFile(ctx, tx, p, f, who, why); err != nil {
			return broken(err, "written")
		}
	}
	if err := tx.Commit(); err != nil {
		return broken(err, "written")
	}
	decided = true
	out.Rows, out.Labels, out.Files = out.Rows+len(ids), out.Labels+labels, out.Files+len(files)
	if !first.IsZero() {
		if out.Since == nil {
			out.Since = map[string]time.Time{}
		}
		out.Since[p.model] = first
	}
	for _, f := range files {
		if err := l.putInPlace(news{part: p.part, was: f.was, file: f.file}); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes a file without the key for each sealed one that holds it.
func (l *Log) rewrite(ctx context.Context, p lying, key string, note func(*prediction.Record)) ([]rewritten, error) {
	known, err := l.filesOf(ctx, p.part)
	if err != nil {
		return nil, err
	}
	var out []rewritten
	for name, want := range known {
		path := filepath.Join(l.folder(p.part), name)
		holds := false
		if _, err := readSealed(path, p.model, want, func(x place) bool { holds = holds || x.Key == key; return false }, 0, false); err != nil {
			return out, err
		}
		if !holds {
			continue
		}
		rs, err := readSealed(path, p.model, want, nil, 0, true)
		if err != nil {
			return out, err
		}
		d, _, err := digestsOf(path)
		if err != nil {
			return out, broken(err, "read")
		}
		rs = slices.DeleteFunc(rs, func(r prediction.Record) bool {
			if r.Key == key {
				note(&r)
			}
			return r.Key == key
		})
		f := rewritten{name: name, was: d.sha(), file: file{name: name}}
		if len(rs) > 0 {
			f.temp = l.temp(p.part, name)
			if f.file, err = writeTemp(f.temp, name, rs); err != nil {
				return append(out, f), broken(err, "written anew for %s of %s", p.model, p.date())
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// replaceFile has the index know the new file in place of the old one, and makes news of
// it.
func (l *Log) replaceFile(ctx context.Context, tx *sql.Tx, p lying, f rewritten, who, why string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM file WHERE part = ? AND name = ?`, p.id, f.name); err != nil {
		return err
	}
	if f.temp != "" {
		if err := putFile(ctx, tx, p.id, f.file); err != nil {
			return err
		}
	}
	return l.putNews(ctx, tx, p.part, news{what: audit.Forgotten, who: who, why: why, was: f.was, file: f.file})
}

// putInPlace puts the new file of a Forgotten where the old one is, or removes that where
// nothing is left. It may be done twice.
func (l *Log) putInPlace(n news) error {
	path, temp := filepath.Join(l.folder(n.part), n.name), l.temp(n.part, n.name)
	from, want := temp, n.sha
	if n.sha == "" {
		from, want = path, n.was
	}
	d, _, err := digestsOf(from)
	if errors.Is(err, os.ErrNotExist) || err == nil && d.sha() != want {
		return nil // it was done
	}
	if err == nil && n.sha == "" {
		err = os.Remove(path)
	} else if err == nil {
		err = os.Rename(temp, path)
	}
	return broken(errors.Join(err, syncFolder(l.folder(n.part))), "written anew")
}

// finishForgotten puts in place what a crash has left beside it.
func (l *Log) finishForgotten(ctx context.Context) error {
	all, err := l.readNews(ctx)
	for _, n := range all {
		if n.what == audit.Forgotten && err == nil {
			err = l.putInPlace(n)
		}
	}
	return err
}

// replaced gives the sum of a file as the index has it now, and whether that is another
// than a scan has seen: it was written anew. It waits for whoever is writing.
func (l *Log) replaced(ctx context.Context, g segment) (sum, bool) {
	l.sealing.Lock()
	defer l.sealing.Unlock()
	var now sum
	err := l.read.QueryRowContext(ctx, `SELECT crc FROM file WHERE part = ? AND name = ?`, g.part, g.name).Scan(&now)
	return now, err == nil && now != g.sum
}
