// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/backup"
	"flyball/fault"
	"flyball/serving/predictionlog"
	"flyball/store"
)

// Upgrade brings a place that no server has open to this version's formats, and examines
// it. file is a backup of it that was rehearsed: where something fails or does not hold, it
// is put back, and the fault says so.
func Upgrade(ctx context.Context, p Place, file string, tell func(backup.Step)) (r Rehearsal, err error) {
	m, _, err := backup.Verify(ctx, file, nil)
	if err != nil {
		return r, err
	}
	r.Manifest, r.From = m, m.Schema
	begun := time.Now()
	err = r.look(ctx, p)
	r.Took = time.Since(begun)
	if err == nil && r.Good() {
		return r, yield(p.Data)
	}
	for _, f := range r.Findings {
		if !f.OK && err == nil {
			err = fault.New(fault.Refused, "%s: %s", f.What, f.Detail)
		}
	}
	if _, back := Back(context.WithoutCancel(ctx), p, file, tell); back != nil {
		return r, fault.Wrap(errors.Join(err, back), fault.Internal, "the upgrade failed, and what was before could not be put back: restore %s into an empty place", file)
	}
	return r, fault.Wrap(err, fault.Refused, "the upgrade failed, and all is as it was before")
}

// Lost is what going back gives up.
type Lost struct {
	Audit int64  // records of the audit chain since the backup
	Rows  int64  // more rows than the backup has
	Aside string // where what was there lies now: a folder, and in PostgreSQL a schema of its last element's name
}

// Back puts a place, which no server has open, back to a backup, in the schema that the
// backup has: what the version that wrote it needs. What was there is set aside, not
// removed. After a failure all is as it was.
func Back(ctx context.Context, p Place, file string, tell func(backup.Step)) (lost Lost, err error) {
	m, wrong, err := backup.Verify(ctx, file, nil)
	if err == nil && len(wrong) > 0 {
		err = fault.New(fault.Refused, "the backup is damaged: %s", strings.Join(wrong, "; "))
	}
	if err == nil {
		err = predictionlog.Unused(p.predictions())
	}
	if err != nil {
		return lost, err
	}
	if err := lost.count(ctx, p.dsn(), &m); err != nil && !fault.Is(err, fault.NotFound) {
		return lost, err
	}
	name := "before_going_back_" + strings.ReplaceAll(time.Now().UTC().Format("20060102_150405.000000"), ".", "_") // others may go back in the same database and second
	lost.Aside = filepath.Join(p.Data, name)
	var undo []func() error
	defer func() {
		for i := len(undo) - 1; err != nil && i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	if p.Database != "" {
		if err := store.SetAside(ctx, p.Database, name); err != nil {
			return lost, err
		}
		undo = append(undo, func() error { return store.PutBack(context.WithoutCancel(ctx), p.Database, name) })
	}
	if err := os.Mkdir(lost.Aside, 0o700); err != nil {
		return lost, fault.Wrap(err, fault.Unavailable, "what is there cannot be set aside")
	}
	undo = append(undo, func() error {
		return errors.Join(moveAll(lost.Aside, p.Data, ""), os.Remove(lost.Aside))
	})
	if err := moveAll(p.Data, lost.Aside, name); err != nil {
		return lost, err
	}
	return lost, restoreBeside(ctx, p, file, name, tell)
}

// restoreBeside restores into a data folder whose one entry is what was set aside.
func restoreBeside(ctx context.Context, p Place, file, aside string, tell func(backup.Step)) error {
	to := p
	to.Data = filepath.Join(p.Data, aside+".new")
	if _, err := Restore(ctx, file, to, false, tell); err != nil {
		return err
	}
	return errors.Join(moveAll(to.Data, p.Data, ""), os.Remove(to.Data), yield(p.Data))
}

// count is what a place has that a backup has not.
func (l *Lost) count(ctx context.Context, dsn string, m *backup.Manifest) (err error) {
	db, err := store.OpenAsIs(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	d, err := db.Dump(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	l.Audit = d.Origin().Audit.Seq - m.Audit.Seq
	for _, t := range d.Tables() {
		n, err := d.Count(ctx, &t)
		if err != nil {
			return err
		}
		l.Rows += n
	}
	l.Rows -= m.Rows()
	return nil
}

// moveAll moves what is in a folder into another, but for one name and for what a file
// system has of its own.
func moveAll(from, to, but string) error {
	entries, err := os.ReadDir(from)
	for _, e := range entries {
		if err == nil && e.Name() != but && e.Name() != "lost+found" {
			err = os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		}
	}
	return fault.Wrap(err, fault.Unavailable, "%s cannot be moved to %s", from, to)
}
