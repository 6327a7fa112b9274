// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/predictionlog"
)

// Keeps is the log that checkpoints are made of; *predictionlog.Log is one.
type Keeps interface {
	Seal(ctx context.Context, now time.Time, olderThan time.Duration) (int, error)
	Image(ctx context.Context, path string) (predictionlog.Image, error)
	OpenFile(f predictionlog.File) (io.ReadSeekCloser, predictionlog.File, error)
	SetBase(ctx context.Context, names ...string) error
	Forgot() <-chan struct{} // something was forgotten: the bucket has to forget it too
}

// Manifest is a checkpoint: a log at one moment.
type Manifest struct {
	Format int                  `json:"format"` // 1
	At     time.Time            `json:"at"`
	Origin string               `json:"origin"` // of the log that it was made of
	Staged Object               `json:"staged"` // what is not in sealed files, as predictionlog.Install reads it
	Files  []Sealed             `json:"files"`
	Taken  []predictionlog.Mark `json:"taken"` // of each origin: the shipments up to Seq are in it
}

// Object is where some bytes lie in the bucket.
type Object struct {
	Key    string `json:"key"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // in hex
}

// Sealed is a sealed file and where it lies in the bucket.
type Sealed struct {
	predictionlog.File
	Key string `json:"key"`
}

// keys are the objects that a checkpoint names, and its own.
func (m *Manifest) keys(own string) map[string]bool {
	out := map[string]bool{own: true, m.Staged.Key: true}
	for _, f := range m.Files {
		out[f.Key] = true
	}
	return out
}

// Keeper makes checkpoints of the log of who leads.
type Keeper struct {
	opts KeeperOptions
	in   objects
}

// KeeperOptions are what a Keeper is made of.
type KeeperOptions struct {
	Log     Keeps
	Bucket  Bucket
	Pointer Pointer
	Logger  *slog.Logger     // nil: slog.Default()
	Now     func() time.Time // nil: time.Now

	Temp      string        // a folder for the image while it is uploaded; empty: the system's
	Every     time.Duration // between two checkpoints; 0: 1 h
	SealAfter time.Duration // see predictionlog.Options; 0: 1 h
}

// NewKeeper makes a Keeper. It starts nothing.
func NewKeeper(opts KeeperOptions) *Keeper {
	if opts.Every <= 0 {
		opts.Every = time.Hour
	}
	if opts.SealAfter <= 0 {
		opts.SealAfter = time.Hour
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Keeper{opts: opts, in: objects{opts.Bucket}}
}

// A checkpoint that failed is tried again after that long, and later less often.
const (
	againAfter = time.Minute
	againMost  = 10 * time.Minute
)

// Run makes a checkpoint, again and again, until ctx is done; then it returns nil. The
// first is made at once, and one when something was forgotten.
func (k *Keeper) Run(ctx context.Context) error {
	rounds{
		every: k.opts.Every, again: againAfter, longest: againMost, wake: k.opts.Log.Forgot(), log: logger(k.opts.Logger),
		fails: "there is no new checkpoint of the predictions; shipments wait in the bucket until there is", works: "there are checkpoints of the predictions again",
	}.run(ctx, 0, func(ctx context.Context) error {
		_, err := k.Checkpoint(ctx)
		return err
	})
	return nil
}

// Checkpoint seals what is old enough, brings all of the log into the bucket, makes that
// the newest checkpoint and removes from the bucket what no checkpoint needs any more: the
// shipments that are in it, and what was sealed and is trimmed or forgotten since. It gives
// the checkpoint's key. What fails before the pointer is set leaves the last checkpoint as
// it was, and unnamed objects for a later one to remove; what fails after is left to a
// later one, too. Whoever leads no more changes nothing. Two must not be made at once.
func (k *Keeper) Checkpoint(ctx context.Context) (string, error) {
	if _, err := k.opts.Log.Seal(ctx, k.opts.Now(), k.opts.SealAfter); err != nil {
		return "", err
	}
	base, old, err := k.base(ctx)
	if err != nil {
		return "", err
	}
	key, m, err := k.upload(ctx, old)
	for i := 0; i < 2 && fault.Is(err, fault.Conflict); i++ { // a file was trimmed or written anew meanwhile
		key, m, err = k.upload(ctx, old)
	}
	if err != nil {
		return "", err
	}
	if err := k.opts.Log.SetBase(ctx, base, key); err != nil {
		return "", err
	}
	if err := k.opts.Pointer.SetCheckpoint(ctx, key); err != nil {
		return "", err
	}
	set := time.Now()
	if err := k.opts.Log.SetBase(ctx, key); err != nil {
		return key, err
	}
	return key, k.clean(ctx, set, keysOf(old, base), m.keys(key), m.Taken)
}

func keysOf(m *Manifest, key string) map[string]bool {
	if m == nil {
		return nil
	}
	return m.keys(key)
}

// base is the checkpoint that is the newest before; nil: there is none.
func (k *Keeper) base(ctx context.Context) (string, *Manifest, error) {
	key, err := k.opts.Pointer.Checkpoint(ctx)
	if err != nil || key == "" {
		return "", nil, err
	}
	m, err := readManifest(ctx, k.in, key)
	if fault.Is(err, fault.NotFound) { // all is uploaded anew
		return key, nil, nil
	}
	return key, m, err
}

// maxManifest bounds what is read of a manifest: a million files.
const maxManifest = 512 << 20

func readManifest(ctx context.Context, in objects, key string) (*Manifest, error) {
	p, err := in.read(ctx, key)
	if err != nil {
		return nil, err
	}
	var m Manifest
	if len(p) > maxManifest || json.Unmarshal(p, &m) != nil {
		return nil, fault.New(fault.Invalid, "the checkpoint %s is damaged", key).Do("restore the object from the bucket's versions")
	}
	if m.Format != 1 {
		return nil, fault.New(fault.Invalid, "the checkpoint %s was written by a newer version of Flyball (format %d)", key, m.Format).Do("upgrade this server first")
	}
	return &m, nil
}

// upload brings what the last checkpoint does not have into the bucket.
func (k *Keeper) upload(ctx context.Context, old *Manifest) (string, *Manifest, error) {
	dir, err := os.MkdirTemp(k.opts.Temp, "checkpoint-")
	if err != nil {
		return "", nil, fault.Wrap(err, fault.Unavailable, "there is no room for a copy of the staged predictions")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	now := k.opts.Now()
	id := "checkpoints/" + string(ident.NewPredictionID(now)) // in the order of time, and nobody else's
	staged := filepath.Join(dir, "staged.db")
	image, err := k.opts.Log.Image(ctx, staged)
	if err != nil {
		return "", nil, err
	}
	m := &Manifest{Format: 1, At: now.UTC(), Origin: image.Origin, Taken: image.Taken, Files: make([]Sealed, 0, len(image.Files))}
	have := map[string]Sealed{}
	if old != nil {
		for _, f := range old.Files {
			have[f.Path] = f
		}
	}
	for _, f := range image.Files {
		was, ok := have[f.Path]
		if ok && was.CRC == f.CRC && was.Bytes == f.Bytes && was.Rows == f.Rows {
			m.Files = append(m.Files, was)
			continue
		}
		s, err := k.uploadSealed(ctx, f)
		if err != nil {
			return "", nil, err
		}
		m.Files = append(m.Files, s)
	}
	if m.Staged, err = k.uploadStaged(ctx, id+"/staged.db", staged); err != nil {
		return "", nil, err
	}
	p, err := json.Marshal(m)
	if err != nil {
		return "", nil, fault.Wrap(err, fault.Internal, "the checkpoint cannot be written")
	}
	key := id + "/manifest.json"
	return key, m, k.in.put(ctx, key, p)
}

func (k *Keeper) uploadSealed(ctx context.Context, f predictionlog.File) (Sealed, error) {
	in, f, err := k.opts.Log.OpenFile(f)
	if err != nil {
		return Sealed{}, err
	}
	s := Sealed{File: f, Key: strings.TrimSuffix(f.Path, ".parquet") + "-" + f.SHA256[:12] + ".parquet"}
	return s, errors.Join(k.in.upload(ctx, s.Key, in), in.Close())
}

func (k *Keeper) uploadStaged(ctx context.Context, key, path string) (Object, error) {
	in, err := os.Open(path)
	if err != nil {
		return Object{}, fault.Wrap(err, fault.Unavailable, "the copy of the staged predictions cannot be read")
	}
	h := sha256.New()
	n := &counter{}
	err = k.in.upload(ctx, key, io.TeeReader(in, io.MultiWriter(h, n)))
	return Object{Key: key, Bytes: n.n, SHA256: hex.EncodeToString(h.Sum(nil))}, errors.Join(err, in.Close())
}

// counter counts bytes.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
