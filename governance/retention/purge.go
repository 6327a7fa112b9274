// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/fault"
	"flyball/ident"
)

// artifacts is how the location of files begins that are kept here.
const artifacts = "mlflow-artifacts:/"

// made is the folder of the files of versions that Flyball made.
const made = "versions"

// prepare finds out what may go.
func (w *collection) prepare(ctx context.Context) error {
	w.cutoff = w.began.Add(-w.policy.Grace)
	work, err := w.opts.Store.OldestWork(ctx)
	if err != nil {
		return err
	}
	if !work.IsZero() && work.Before(w.cutoff) { // it may yet refer to what it put when it began
		w.cutoff = work
	}
	old, err := w.madeVersions(ctx) // before the versions: a folder may be made at any time for one that is there
	if err != nil {
		return err
	}
	used := map[string]bool{} // folders with files of versions
	for v, err := range w.opts.Store.KeptVersions(ctx) {
		if err != nil {
			return err
		}
		delete(old, folderOf(v.Ref))
		if path, here := strings.CutPrefix(v.Location, artifacts); here {
			for p := range folders(strings.Trim(path, "/")) {
				used[p] = true
			}
		}
	}
	needless, err := w.opts.Store.NeedlessSnapshots(ctx, w.expiry().UnixMicro())
	if err != nil {
		return err
	}
	w.needless = map[string]bool{}
	for _, d := range needless {
		w.needless[string(d)] = true
	}
	w.versions, w.gone = slices.Sorted(maps.Keys(old)), old
	for e, err := range w.opts.Store.Expired(ctx, w.expiry().UnixMilli()+1) {
		if err != nil {
			return err
		}
		e.Root = root(e)
		if used[e.Root] {
			w.result.Held++
			continue
		}
		w.expired = append(w.expired, e)
		if e.Root != "" {
			w.gone[e.Root] = true
		}
	}
	return nil
}

// expiry is before when what goes was deleted, or made.
func (w *collection) expiry() time.Time { return w.opts.Now().Add(-w.policy.Keep) }

func folderOf(ref ident.Ref) string { return made + "/" + ref.Model + "/" + strconv.Itoa(ref.Version) }

// madeVersions are the folders of versions that Flyball made.
func (w *collection) madeVersions(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	models, err := w.opts.Store.Artifacts(ctx, made)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		numbers, err := w.opts.Store.Artifacts(ctx, made+"/"+m.Path)
		if err != nil {
			return nil, err
		}
		for _, n := range numbers {
			if _, err := strconv.Atoi(n.Path); err == nil && n.Folder {
				out[made+"/"+m.Path+"/"+n.Path] = true
			}
		}
	}
	return out, nil
}

// folders yields a path and the folders it lies in.
func folders(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for path != "" && yield(path) {
			path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		}
	}
}

// root is the folder that is all of e's own. A location may be shared, or be the root
// of everything: then nothing in it is removed with e.
func root(e Expired) string {
	path, here := strings.CutPrefix(e.Location, artifacts)
	path = strings.Trim(path, "/")
	switch {
	case !here:
		return ""
	case e.Kind == Experiment:
		if path == e.ID {
			return path
		}
		return ""
	}
	if o := artifact.OwnerOf(path); o.ID == e.ID {
		return o.Root
	}
	return ""
}

// purge removes what has expired, each with its files first: a purge that was stopped
// in between finds it again.
func (w *collection) purge(ctx context.Context) error {
	for i, e := range w.expired {
		w.tell(Step{"removing what was deleted", i, len(w.expired)})
		err := w.remove(ctx, e)
		if fault.Is(err, fault.Refused) {
			w.result.Held++
			continue
		}
		if err != nil {
			return err
		}
		w.result.count(e.Kind)
		delete(w.gone, e.Root)
	}
	for _, path := range w.versions {
		if err := w.opts.Store.RemoveArtifacts(ctx, path); err != nil {
			return err
		}
		w.result.Versions++
		delete(w.gone, path)
	}
	if len(w.needless) == 0 {
		return nil
	}
	var err error
	w.result.Snapshots, err = w.opts.Store.DropSnapshots(ctx, w.expiry().UnixMicro())
	return err
}

func (w *collection) remove(ctx context.Context, e Expired) error {
	if e.Root != "" {
		if err := w.opts.Store.DropArtifacts(ctx, e); err != nil {
			return err
		}
	}
	return w.opts.Store.Purge(ctx, e)
}

// sweep deletes blobs, unless somebody put or kept them since, and what uploads that
// broke off have left.
func (w *collection) sweep(ctx context.Context, old []blob.Info) error {
	for i, b := range old {
		if i%100 == 0 {
			w.tell(Step{"deleting bytes", i, len(old)})
		}
		deleted, err := w.opts.Blobs.Delete(ctx, b.Digest, w.cutoff)
		if err != nil {
			return err
		}
		if deleted {
			w.result.Blobs.add(b.Size)
		}
	}
	var err error
	w.result.Parts.Number, w.result.Parts.Bytes, err = w.opts.Blobs.Sweep(ctx, w.cutoff)
	return err
}
