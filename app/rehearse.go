// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/backup"
	"flyball/blob"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/model"
	"flyball/model/formats"
	"flyball/model/worker"
	"flyball/serving/predictionlog"
	"flyball/store"
)

// Rehearsal is what a restore of a backup would come to. It was made in a place of its
// own, which is gone.
type Rehearsal struct {
	Manifest backup.Manifest `json:"manifest"`
	From     int64           `json:"schema_from"` // of the records in the backup
	To       int64           `json:"schema_to"`   // of this version; 0: it did not come so far
	Findings []Finding       `json:"findings"`
	Took     time.Duration   `json:"took"` // the restore: reading the backup twice, and writing it
}

// Finding is one thing that was looked at.
type Finding struct {
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Good reports whether all that was looked at holds.
func (r *Rehearsal) Good() bool {
	for _, f := range r.Findings {
		if !f.OK {
			return false
		}
	}
	return true
}

func (r *Rehearsal) note(what string, err error, format string, args ...any) {
	f := Finding{What: what, OK: err == nil, Detail: fmt.Sprintf(format, args...)}
	if err != nil {
		f.Detail = err.Error()
	}
	r.Findings = append(r.Findings, f)
}

// Rehearse restores a backup into a new folder inside scratch, with this version's schema,
// looks at all of it, and removes it. With database the records go there, a PostgreSQL
// database without tables; else into SQLite. What is wrong with the backup is a finding;
// an error is that the rehearsal itself did not work.
func Rehearse(ctx context.Context, file, scratch, database string, tell func(backup.Step)) (r Rehearsal, err error) {
	dir, err := os.MkdirTemp(scratch, "flyball-rehearsal-")
	if err != nil {
		return r, fault.Wrap(err, fault.Unavailable, "there is no folder to rehearse in")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	begun := time.Now()
	to := Place{Data: filepath.Join(dir, "data"), Database: database}
	got, err := Restore(ctx, file, to, false, tell)
	if ctx.Err() != nil || fault.Is(err, fault.Conflict) || fault.Is(err, fault.NotFound) || fault.Is(err, fault.Unavailable) {
		return r, err // of this place, not of the backup
	}
	if err != nil {
		r.note("backup", err, "")
		return r, nil
	}
	if database != "" {
		defer func() { err = errors.Join(err, store.Drop(context.WithoutCancel(ctx), database)) }()
	}
	m := &got.Manifest
	r.Took, r.Manifest, r.From = time.Since(begun), got.Manifest, m.Schema
	r.note("backup", nil, "of %s by %s, %d parts as they were written", m.MadeAt.Format(time.RFC3339), m.Version, len(m.Parts)+m.Blobs.Number)
	r.note("rows", nil, "%d in %d tables", m.Rows(), len(m.Tables))
	return r, r.look(ctx, to)
}

// look opens what was restored, as a server would, and examines it.
func (r *Rehearsal) look(ctx context.Context, at Place) (err error) {
	begun := time.Now()
	r.To, err = bringUp(ctx, at.dsn())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.note("schema", err, "from %d to %d in %s", r.From, r.To, time.Since(begun).Round(time.Millisecond))
	if err != nil {
		return nil //nolint:nilerr // it is a finding
	}
	db, err := store.Open(ctx, at.dsn())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	blobs, err := at.blobs(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	for _, look := range []func(context.Context, Place, *store.DB, *blob.Bucket) error{r.chain, r.bytes, r.live} {
		if err := look(ctx, at, db, blobs); err != nil {
			return err
		}
	}
	return nil
}

// chain verifies the audit chain, and compares the sealed predictions with it.
func (r *Rehearsal) chain(ctx context.Context, at Place, db *store.DB, _ *blob.Bucket) (err error) {
	log, err := predictionlog.Open(at.predictions(), predictionlog.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.note("predictions", err, "")
		return nil
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	name, _ := os.ReadFile(filepath.Join(at.Data, serverName)) // where there is none, there is one server
	auditor := &audit.Auditor{Store: db, Folder: log, Server: strings.TrimSpace(string(name))}
	v, err := auditor.Verify(ctx, nil, true, func(audit.Step) {})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	end := r.Manifest.Audit
	switch have, endErr := db.AuditEnd(ctx); {
	case err != nil:
	case endErr != nil:
		err = endErr
	case have.Seq != end.Seq || have.Hash != end.Hash:
		err = fault.New(fault.Refused, "the chain ends at record %d and not at %d, or with another", have.Seq, end.Seq)
	}
	r.note("audit chain", err, "%d records hold", v.Records)
	var wrong error
	if len(v.Wrong) > 0 {
		wrong = fault.New(fault.Refused, "%s", strings.Join(v.Wrong, "; "))
	}
	waiting := ""
	if v.Waiting > 0 {
		waiting = fmt.Sprintf("; %d are not in the chain yet", v.Waiting)
	}
	r.note("sealed predictions", wrong, "%d files are as the chain has them%s", v.Files, waiting)
	return nil
}

// bytes looks whether all that the records refer to is here. That the bytes of each are
// those of its digest was seen when the backup was read.
func (r *Rehearsal) bytes(ctx context.Context, _ Place, db *store.DB, blobs *blob.Bucket) (err error) {
	d, err := db.Dump(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	all, err := retention.Reach(ctx, d.Files, d.Documents, blobs, func(int, int) {})
	if err != nil {
		return err
	}
	found, missing := 0, r.Manifest.Blobs.Missing
	for digest := range all {
		has, err := blobs.Has(ctx, digest)
		if err != nil {
			return err
		}
		if has {
			found++
		}
	}
	damaged := r.Manifest.Blobs.Damaged
	switch want := r.Manifest.Blobs.Number - len(damaged); {
	case len(damaged) > 0:
		err = fault.New(fault.Refused, "%d blobs were damaged when the backup was made: %v", len(damaged), damaged)
	case len(missing) > 0:
		err = fault.New(fault.Refused, "%d files of runs or versions were missing when the backup was made: %v", len(missing), missing)
	case found < want:
		err = fault.New(fault.Refused, "%d of %d blobs are here", found, want)
	}
	r.note("blobs", err, "%d that records refer to, %d MB", found, r.Manifest.Blobs.Bytes>>20)
	return nil
}

// live opens the version of each model that answers, and has it reproduce its golden rows.
func (r *Rehearsal) live(ctx context.Context, _ Place, db *store.DB, blobs *blob.Bucket) error {
	models, err := db.Models(ctx)
	if err != nil {
		return err
	}
	decoders := formats.Decoders(nil)
	good, python := 0, 0
	var wrong []string
	for _, m := range models {
		s, any, err := db.Release(ctx, m.Name)
		if err != nil {
			return err
		}
		route := s.Route()
		if !any || route.Live == 0 {
			continue
		}
		v, err := db.Version(ctx, ident.Ref{Model: m.Name, Version: route.Live})
		if err == nil {
			var b *model.Bundle
			if b, err = model.Ready(ctx, blobs, decoders, v.Bundle); err == nil {
				err = b.Close()
			}
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			good++
		case ofPython(ctx, blobs, v.Bundle):
			python++
		default:
			wrong = append(wrong, fmt.Sprintf("%s@%d: %v", m.Name, route.Live, err))
		}
	}
	if len(wrong) > 0 {
		err = fault.New(fault.Refused, "%s", strings.Join(wrong, "; "))
	}
	more := ""
	if python > 0 {
		more = fmt.Sprintf("; %d need Python and were not run", python)
	}
	r.note("live versions", err, "%d of %d models reproduce their golden rows%s", good, len(models), more)
	return nil
}

// ofPython reports whether only a Python process can score a bundle.
func ofPython(ctx context.Context, blobs blob.Store, bundle blob.Digest) bool {
	m, err := model.ReadManifest(ctx, blobs, bundle)
	return err == nil && m.Estimator == worker.FileName
}
