// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"flyball/backup"
	"flyball/blob"
	"flyball/bucket"
	"flyball/fault"
	"flyball/governance/retention"
	"flyball/serving/predictionlog"
	"flyball/serving/shipping"
	"flyball/store"
)

// Place is where a server keeps everything.
type Place struct {
	Data     string // the data folder
	Database string // a DSN of PostgreSQL; empty: flyball.db in Data
	Bucket   string // the URL of the bucket with the blobs; empty: blobs/ in Data
}

func (p Place) dsn() string {
	if p.Database != "" {
		return p.Database
	}
	return filepath.Join(p.Data, "flyball.db")
}

func (p Place) predictions() string { return filepath.Join(p.Data, "predictions") }

// blobs opens the store of blobs.
func (p Place) blobs(ctx context.Context) (*blob.Bucket, error) {
	if p.Bucket == "" {
		return blob.OpenDir(filepath.Join(p.Data, "blobs"))
	}
	b, err := bucket.Open(ctx, p.Bucket, "blobs")
	if err != nil {
		return nil, err
	}
	return blob.In(b), nil
}

// unshared refuses a bucket that has the predictions of a server: those that a restored one
// adds would be taken for them. Blobs may be there.
func (p Place) unshared(ctx context.Context) (err error) {
	if p.Bucket == "" {
		return nil
	}
	b, err := bucket.Open(ctx, p.Bucket, "predictions")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	switch first, err := b.List(nil).Next(ctx); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fault.Wrap(err, fault.Unavailable, "the bucket cannot be read")
	default:
		return fault.New(fault.Conflict, "the bucket has predictions of a server: predictions/%s", first.Key).Do("name another prefix of it, such as s3://bucket/restored")
	}
}

// keepsakes are the small files of the data folder that a backup takes: the server's name,
// the key that signs links, and the anchors of the audit chain.
var keepsakes = [...]string{serverName, linkKey, anchorFile}

// Backup writes a backup of this server, which goes on serving.
func (a *App) Backup(ctx context.Context, w io.Writer, tell func(backup.Step)) (backup.Manifest, error) {
	release, err := a.collector.Hold() // what the records of this moment refer to stays
	if err != nil {
		return backup.Manifest{}, err
	}
	defer release()
	return writeBackup(ctx, w, a.cfg.Version, kept{data: a.cfg.Data, server: a.server, store: a.store, blobs: a.blobs, copy: a.log.Freeze}, tell)
}

// BackupOf writes a backup of a place that no server has open. It changes nothing there,
// and the schema stays as it is.
func BackupOf(ctx context.Context, p Place, version string, w io.Writer, tell func(backup.Step)) (_ backup.Manifest, err error) {
	db, err := store.OpenAsIs(ctx, p.dsn())
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	blobs, err := p.blobs(ctx)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	log, done, err := p.newestLog(ctx, db)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return writeBackup(ctx, w, version, kept{data: p.Data, store: db, blobs: blobs, copy: func(ctx context.Context, during func() error) (*predictionlog.Frozen, error) {
		return predictionlog.FreezeFolder(ctx, log, during)
	}}, tell)
}

// newestLog is the folder of the log of predictions: the place's own or, where another
// process led last, one made of what lies in the bucket, which done removes.
func (p Place) newestLog(ctx context.Context, db *store.DB) (dir string, done func() error, err error) {
	own, nothing := p.predictions(), func() error { return nil }
	if p.Bucket == "" {
		return own, nothing, nil
	}
	newest, err := db.Checkpoint(ctx)
	if err != nil {
		return "", nil, err
	}
	have, err := predictionlog.Look(ctx, own)
	if err != nil || newest == "" || slices.Contains(have.Bases, newest) {
		return own, nothing, err
	}
	in, err := bucket.Open(ctx, p.Bucket, "predictions")
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if dir, err = os.MkdirTemp("", "flyball-predictions-"); err != nil {
		return "", nil, fault.Wrap(err, fault.Unavailable, "there is no room for the predictions that lie in the bucket")
	}
	done = func() error { return os.RemoveAll(dir) }
	if err := shipping.Gather(ctx, shipping.RestoreOptions{Dir: dir, Bucket: in, Pointer: db}); err != nil {
		return "", nil, errors.Join(err, done())
	}
	return dir, done, nil
}

// kept is what a backup is made of.
type kept struct {
	data   string
	server string // its name, where the folder does not have it
	store  *store.DB
	blobs  *blob.Bucket
	copy   func(ctx context.Context, during func() error) (*predictionlog.Frozen, error)
}

func writeBackup(ctx context.Context, w io.Writer, version string, k kept, tell func(backup.Step)) (m backup.Manifest, err error) {
	var records *store.Dump
	predictions, err := k.copy(ctx, func() (err error) {
		records, err = k.store.Dump(ctx)
		return err
	})
	if records != nil {
		defer func() { err = errors.Join(err, records.Close()) }()
	}
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, predictions.Close()) }()
	src := backup.Source{Origin: records.Origin(), Tables: records.Tables(), Rows: records.Rows, Blobs: k.blobs}
	src.Version = version
	if src.Digests, err = retention.Reach(ctx, records.Files, records.Documents, k.blobs, func(done, total int) {
		if tell != nil && done%1000 == 0 {
			tell(backup.Step{What: "following records", Done: int64(done), Total: int64(total)})
		}
	}); err != nil {
		return m, err
	}
	for _, name := range predictions.Names() {
		src.Files = append(src.Files, backup.File{Name: backup.Predictions + name, Path: predictions.Path(name)})
	}
	for _, name := range keepsakes {
		path := filepath.Join(k.data, name)
		if _, err := os.Stat(path); err == nil {
			src.Files = append(src.Files, backup.File{Name: backup.Folder + name, Path: path})
		} else if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	if k.server != "" && !slices.ContainsFunc(src.Files, func(f backup.File) bool { return f.Name == backup.Folder+serverName }) {
		src.Files = append(src.Files, backup.File{Name: backup.Folder + serverName, Body: []byte(k.server + "\n")})
	}
	return backup.Write(ctx, w, &src, tell)
}
