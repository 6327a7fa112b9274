// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"slices"

	"flyball/fault"
	"flyball/serving/predictionlog"
)

// RestoreOptions are what Restore needs.
type RestoreOptions struct {
	Dir     string // of the log, which no process has open
	Bucket  Bucket
	Pointer Pointer
	Logger  *slog.Logger // nil: slog.Default()
}

// Restore makes the folder of a log what the newest checkpoint has, and reports whether it
// had to: a folder that the checkpoint was made of, or made from, goes on as it is, and so
// does every folder where there is no checkpoint. What the folder still has to ship is
// shipped first, under its old name; it comes back as the shipments of others do. Call it
// when this process leads and before it opens the log: then nobody else sets the pointer.
// After an error call it again before the folder is opened.
func Restore(ctx context.Context, o RestoreOptions) (bool, error) {
	in := objects{o.Bucket}
	key, err := o.Pointer.Checkpoint(ctx)
	if err != nil || key == "" {
		return false, err
	}
	have, err := predictionlog.Look(ctx, o.Dir)
	if err != nil {
		return false, err
	}
	if slices.Contains(have.Bases, key) {
		return false, nil
	}
	m, err := readManifest(ctx, in, key)
	if err != nil {
		return false, err
	}
	switch {
	case have.Origin == "" && !have.Empty:
		return false, fault.New(fault.Conflict, "the prediction log in %s was never shared, and the bucket has a log of another server", o.Dir).
			Do("move the folder away, or give this server another bucket")
	case have.Origin != "":
		if err := ShipRest(ctx, o.Dir, o.Bucket, o.Logger); err != nil {
			return false, err
		}
	}
	logger(o.Logger).Info("the predictions are restored", "checkpoint", key, "files", len(m.Files))
	keys := make(map[string]string, len(m.Files))
	from := predictionlog.Source{Name: key, Fetch: func(ctx context.Context, f predictionlog.File, to io.Writer) error {
		return in.download(ctx, keys[f.Path], to)
	}, Staged: func(ctx context.Context, to io.Writer) error { return fetchStaged(ctx, in, m.Staged, to) }}
	for _, f := range m.Files {
		keys[f.Path] = f.Key
		from.Files = append(from.Files, f.File)
	}
	return true, predictionlog.Install(ctx, o.Dir, from)
}

// Gather makes in an empty folder the log that lies in the bucket: the newest checkpoint,
// and what was shipped since. It changes nothing there.
func Gather(ctx context.Context, o RestoreOptions) error {
	if _, err := Restore(ctx, o); err != nil {
		return err
	}
	log, err := predictionlog.Open(o.Dir, predictionlog.Options{Shipping: predictionlog.Copy, Logger: o.Logger})
	if err != nil {
		return err
	}
	_, err = NewTaker(TakerOptions{Log: log, Bucket: o.Bucket, Logger: o.Logger}).Turn(ctx)
	return errors.Join(err, log.Close())
}

func fetchStaged(ctx context.Context, in objects, x Object, to io.Writer) error {
	h := sha256.New()
	if err := in.download(ctx, x.Key, io.MultiWriter(to, h)); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != x.SHA256 {
		return fault.New(fault.Unavailable, "%s is not as it was kept: its SHA-256 is %s, not %s", x.Key, sum, x.SHA256).
			Do("restore the object from the bucket's versions")
	}
	return nil
}

// ShipRest ships what the log in a folder still has to ship, be it one that moves or one
// that copies. No process may have the folder open. A leader that leads no more calls it,
// so that nothing waits on its machine until it leads again.
func ShipRest(ctx context.Context, dir string, bucket Bucket, l *slog.Logger) error {
	have, err := predictionlog.Look(ctx, dir)
	if err != nil || have.Origin == "" {
		return err
	}
	mode := predictionlog.Copy
	if have.Moves {
		mode = predictionlog.Move
	}
	log, err := predictionlog.Open(dir, predictionlog.Options{Shipping: mode, Logger: l})
	if err != nil {
		return err
	}
	err = NewShipper(ShipperOptions{Log: log, Bucket: bucket, Logger: l}).Drain(ctx)
	return errors.Join(err, log.Close())
}
