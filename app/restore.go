// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/backup"
	"flyball/blob"
	"flyball/bucket"
	"flyball/fault"
	"flyball/serving/predictionlog"
	"flyball/serving/shipping"
	"flyball/store"
)

// Restored is what came of a restore.
type Restored struct {
	Manifest backup.Manifest
	Schema   int64 // of the records now
}

// restoring is the folder inside the data folder in which a restore is made; what is in it
// is moved up at the end.
const restoring = ".restoring"

// Restore puts a backup into a place that is empty: a folder without files, a database
// without tables. First the whole backup is verified; a part that is not as it was
// written is a Refused fault, and nothing is made. When it fails later, or ctx is done,
// what it made is removed, but for blobs in a bucket, which are named by what they are.
// With up the records are brought to this version's schema; without, they stay as they
// were, for the version that wrote them. What root restores belongs to the folder's owner.
func Restore(ctx context.Context, file string, to Place, up bool, tell func(backup.Step)) (out Restored, err error) {
	m, wrong, err := backup.Verify(ctx, file, tell)
	if err != nil {
		return out, err
	}
	if len(wrong) > 0 {
		return out, fault.New(fault.Refused, "the backup is damaged: %s", strings.Join(wrong, "; ")).Do("restore another one")
	}
	out = Restored{Manifest: m, Schema: m.Schema}
	made, err := emptyFolder(to.Data)
	if err != nil {
		return out, err
	}
	inside := to
	inside.Data = filepath.Join(to.Data, restoring)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(inside.Data))
			if made {
				err = errors.Join(err, os.Remove(to.Data))
			}
		}
	}()
	if err := restoreInto(ctx, file, &m, inside, tell); err != nil {
		return out, err
	}
	if up {
		if out.Schema, err = bringUp(ctx, inside.dsn()); err == nil {
			err = inside.share(ctx)
		}
		if err != nil {
			return out, errors.Join(err, store.Drop(context.WithoutCancel(ctx), inside.dsn()))
		}
	}
	if err := moveUp(inside.Data, to.Data); err != nil && to.Database != "" {
		return out, errors.Join(err, store.Drop(context.WithoutCancel(ctx), to.Database))
	} else if err != nil {
		return out, err
	}
	return out, yield(to.Data)
}

// emptyFolder makes a folder, or finds it without files; made: it was not there.
func emptyFolder(dir string) (made bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, fault.Wrap(os.MkdirAll(dir, 0o700), fault.Unavailable, "the folder %s cannot be made", dir)
	}
	if err != nil {
		return false, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be read", dir)
	}
	for _, e := range entries {
		switch e.Name() {
		case "lost+found":
		case restoring: // of a restore that was killed
			if err := os.RemoveAll(filepath.Join(dir, restoring)); err != nil {
				return false, fault.Wrap(err, fault.Unavailable, "what a killed restore left cannot be removed")
			}
		default:
			return false, fault.New(fault.Conflict, "the folder %s is not empty: it has %s", dir, e.Name()).Do("choose another, or move it aside")
		}
	}
	return false, nil
}

// restoreInto makes everything of a backup that was verified.
func restoreInto(ctx context.Context, file string, m *backup.Manifest, to Place, tell func(backup.Step)) (err error) {
	if err := os.MkdirAll(to.predictions(), 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder %s cannot be made", to.Data)
	}
	root, err := os.OpenRoot(to.Data)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder %s cannot be opened", to.Data)
	}
	defer root.Close()
	if err := to.unshared(ctx); err != nil {
		return err
	}
	blobs, err := to.blobs(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	records, err := store.Load(ctx, to.dsn(), m.Schema)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, records.Abort())
		}
	}()
	r := &restorer{m: m, root: root, blobs: blobs, records: records, tell: tell}
	if err := backup.Each(ctx, file, func(name string, size int64, in io.Reader) error { return r.part(ctx, name, in) }); err != nil {
		return err
	}
	return records.Finish(ctx, m.Tables)
}

// restorer puts each part in its place.
type restorer struct {
	m       *backup.Manifest
	root    *os.Root
	blobs   *blob.Bucket
	records *store.Loading
	tell    func(backup.Step)
	parts   int64
}

func (r *restorer) part(ctx context.Context, name string, in io.Reader) error {
	if r.parts++; r.tell != nil {
		r.tell(backup.Step{What: "parts", Done: r.parts, Total: int64(len(r.m.Parts) + r.m.Blobs.Number)})
	}
	switch dir, rest, _ := strings.Cut(name, "/"); dir + "/" {
	case backup.Records:
		t := r.m.Table(name)
		if t == nil {
			return fault.New(fault.Invalid, "%s is of no table", name)
		}
		return r.table(ctx, t, in)
	case backup.BlobsDir:
		_, _, err := r.blobs.Put(ctx, in) // one that the manifest says was damaged lies under another name then
		return err
	case backup.Predictions:
		return r.file(name, in)
	case backup.Folder:
		return r.file(rest, in)
	}
	return nil
}

// together is how many rows are inserted at once.
const together = 256

// table inserts the rows of one part.
func (r *restorer) table(ctx context.Context, t *backup.Table, in io.Reader) error {
	var values []any
	err := backup.Rows(in, t, func(row []any) error {
		if values = append(values, row...); len(values) < together*len(row) {
			return nil
		}
		err := r.records.Insert(ctx, t, values)
		values = values[:0]
		return err
	})
	if err == nil && len(values) > 0 {
		err = r.records.Insert(ctx, t, values)
	}
	return err
}

// file writes a file below the data folder, so that it is on the disk.
func (r *restorer) file(name string, in io.Reader) error {
	name = filepath.FromSlash(name)
	if err := r.root.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return fault.Wrap(err, fault.Unavailable, "the folder of %s cannot be made", name)
	}
	out, err := r.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = io.Copy(out, in)
		err = errors.Join(err, out.Sync(), out.Close())
	}
	return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
}

// bringUp brings the records to this version's schema.
func bringUp(ctx context.Context, dsn string) (int64, error) {
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return 0, err
	}
	h, err := db.Check(ctx)
	return h.Schema, errors.Join(err, db.Close())
}

// share has the restored log be no process's that was backed up, and brings it into the
// bucket, where there is one: then any process may lead first. When it fails it removes
// what it brought.
func (p Place) share(ctx context.Context) (err error) {
	alone, err := predictionlog.Open(p.predictions(), predictionlog.Options{})
	if err == nil {
		err = alone.Close()
	}
	if err != nil || p.Bucket == "" {
		return err
	}
	db, err := store.Open(ctx, p.dsn())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	in, err := bucket.Open(ctx, p.Bucket, "predictions")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	log, err := predictionlog.Open(p.predictions(), predictionlog.Options{Shipping: predictionlog.Copy})
	if err != nil {
		return err
	}
	keeper := shipping.NewKeeper(shipping.KeeperOptions{Log: log, Bucket: in, Pointer: db, SealAfter: never})
	if _, err = keeper.Checkpoint(ctx); err != nil {
		err = errors.Join(err, shipping.Clear(context.WithoutCancel(ctx), in))
	}
	return errors.Join(err, log.Close())
}

// never is when a restore seals: the chain would not tell of what it did.
const never = 100 * 365 * 24 * time.Hour

// moveUp moves everything in a folder into the one that holds it, the records last.
func moveUp(from, to string) error {
	entries, err := os.ReadDir(from)
	last := "flyball.db"
	for _, e := range entries {
		if err == nil && e.Name() != last {
			err = os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
		}
	}
	if err == nil {
		if err = os.Rename(filepath.Join(from, last), filepath.Join(to, last)); errors.Is(err, fs.ErrNotExist) {
			err = nil // they are in PostgreSQL
		}
	}
	if err == nil {
		err = os.Remove(from)
	}
	return fault.Wrap(err, fault.Unavailable, "what was restored cannot be moved to its place")
}
