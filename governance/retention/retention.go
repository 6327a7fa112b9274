// SPDX-License-Identifier: Apache-2.0

// Package retention removes for good what was deleted long enough ago, and the bytes
// that nothing refers to any more. It decides what may go; what is deleted, and what
// refers to what, others say. It removes nothing that can be reached from a record,
// and whatever it was doing when it was stopped, it may begin again.
package retention

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/model/registry"
)

// Policy says how long what is kept.
type Policy struct {
	Keep  time.Duration // deleted runs, logged models and experiments; 0: they go at once
	Grace time.Duration // bytes that nothing refers to yet: a training may be about to
}

// The policy of those who say nothing.
const (
	DefaultKeep  = 30 * 24 * time.Hour
	DefaultGrace = 24 * time.Hour
)

// Count is a number of blobs or files and their bytes.
type Count struct {
	Number int   `json:"number"`
	Bytes  int64 `json:"bytes"`
}

func (c *Count) add(bytes int64) { c.Number, c.Bytes = c.Number+1, c.Bytes+bytes }

// Result is what was removed, or would be.
type Result struct {
	Runs        int   `json:"runs"`
	Models      int   `json:"logged_models"`
	Experiments int   `json:"experiments"`
	Versions    int   `json:"versions"`  // folders of versions that were deleted
	Snapshots   int   `json:"snapshots"` // of data that no version was made from
	Held        int   `json:"held"`      // deleted long ago, and kept: a version's files lie in them, or they hold what is kept
	Blobs       Count `json:"blobs"`
	Parts       Count `json:"parts"` // of uploads that never came to an end
	Young       Count `json:"young"` // blobs that nothing refers to and that are younger than the grace
	Kept        Count `json:"kept"`  // blobs that something refers to
}

// nothing reports whether nothing is to be removed.
func (r Result) nothing() bool {
	return r.Runs+r.Models+r.Experiments+r.Versions+r.Snapshots+r.Blobs.Number == 0
}

// Kind is what something deleted is.
type Kind string

// The kinds, in the order in which they are removed.
const (
	Run         Kind = "run"
	LoggedModel Kind = "logged model"
	Experiment  Kind = "experiment"
)

// Expired is something that was deleted long enough ago.
type Expired struct {
	Kind     Kind
	ID       string
	Location string // of its artifacts
	Root     string // the folder of artifacts that is all its own; empty: none
}

// Store is what is asked and removed. Package store implements it.
type Store interface {
	// Expired yields what was deleted before a moment (ms since 1970): runs, then
	// logged models, then experiments. Root is left empty.
	Expired(ctx context.Context, before int64) iter.Seq2[Expired, error]

	// DropArtifacts removes the files below e.Root. When e is not deleted any more,
	// holds something that is kept, or a version's files lie there, it is a Refused
	// fault, and nothing is removed.
	DropArtifacts(ctx context.Context, e Expired) error

	// Purge removes e itself; what is gone is no error. When e is not deleted, or
	// holds something that is kept, it is a Refused fault.
	Purge(ctx context.Context, e Expired) error

	// KeptVersions yields every version; of its fields Ref and Location count.
	KeptVersions(ctx context.Context) iter.Seq2[registry.Version, error]

	// AllArtifacts yields every file with its whole path.
	AllArtifacts(ctx context.Context) iter.Seq2[artifact.Entry, error]
	// Artifacts are the entries right in a folder, by name.
	Artifacts(ctx context.Context, folder string) ([]artifact.Entry, error)
	// RemoveArtifacts removes a file or a tree.
	RemoveArtifacts(ctx context.Context, path string) error

	// Documents yields every text of the records, besides artifacts, in which a digest
	// may stand; of jobs those that have not ended, or ended since a moment.
	Documents(ctx context.Context, since time.Time) iter.Seq2[string, error]

	// NeedlessSnapshots are the snapshots that were made before a moment (microseconds
	// since 1970) and that nothing needs: no version was made from them, and their model
	// has a newer one.
	NeedlessSnapshots(ctx context.Context, before int64) ([]blob.Digest, error)
	// DropSnapshots forgets those that are needless now, and returns how many they are.
	DropSnapshots(ctx context.Context, before int64) (int, error)

	// OldestWork is when the oldest job was added that has not ended; zero: none.
	OldestWork(ctx context.Context) (time.Time, error)

	AddAudit(ctx context.Context, rec audit.Record, evs ...event.Event) (audit.Record, error)
}

// Blobs is where the bytes are. Package blob implements it.
type Blobs interface {
	OpenAt(ctx context.Context, d blob.Digest) (io.ReadSeekCloser, int64, error)
	List(ctx context.Context) iter.Seq2[blob.Info, error]
	Delete(ctx context.Context, d blob.Digest, before time.Time) (bool, error)
	Sweep(ctx context.Context, before time.Time) (parts int, bytes int64, err error)
}

// Options are what a Collector is made of.
type Options struct {
	Store Store
	Blobs Blobs
	Now   func() time.Time // of the records; nil: the machine's clock
}

// Collector removes what may go. One collection runs at a time.
type Collector struct {
	opts  Options
	clock func() time.Time // of the blobs, whose times are the machine's
	busy  sync.RWMutex     // a collection; whoever reads what it could remove holds it for reading
}

// New makes a Collector.
func New(o Options) *Collector {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Collector{opts: o, clock: time.Now}
}

// Step tells how far a collection is.
type Step struct {
	What  string `json:"what"`
	Done  int    `json:"done"`
	Total int    `json:"total,omitempty"` // 0: not known yet
}

// Collect removes what p lets go, and returns what that was. With dry it removes
// nothing, and returns what would be. tell is called at each step and may be nil. It
// may be stopped at any moment, and goes on when it is called again. While another
// collection runs it is a Conflict fault.
func (c *Collector) Collect(ctx context.Context, by string, p Policy, dry bool, tell func(Step)) (Result, error) {
	if !c.busy.TryLock() {
		return Result{}, fault.New(fault.Conflict, "a collection or a backup is under way").Do("wait until it has ended")
	}
	defer c.busy.Unlock()
	if p.Keep < 0 || p.Grace < 0 {
		return Result{}, fault.New(fault.Invalid, "a time to keep cannot be negative")
	}
	if tell == nil {
		tell = func(Step) {}
	}
	w := &collection{Collector: c, policy: p, by: by, tell: tell, began: c.clock()}
	return w.run(ctx, dry)
}

// Hold has nothing be collected until release is called. While a collection runs it is a
// Conflict fault.
func (c *Collector) Hold() (release func(), err error) {
	if !c.busy.TryRLock() {
		return nil, fault.New(fault.Conflict, "a collection is under way").Do("wait until it has ended")
	}
	return c.busy.RUnlock, nil
}

// collection is one run of Collect.
type collection struct {
	*Collector
	policy   Policy
	by       string
	tell     func(Step)
	began    time.Time
	cutoff   time.Time       // blobs put or kept since stay
	expired  []Expired       // what may go
	versions []string        // folders of versions that were deleted
	gone     map[string]bool // all folders of artifacts that are to go
	needless map[string]bool // snapshots that are to go
	result   Result
}

func (w *collection) run(ctx context.Context, dry bool) (Result, error) {
	if err := w.prepare(ctx); err != nil {
		return Result{}, err
	}
	old, err := w.unreachable(ctx)
	if err != nil {
		return Result{}, err
	}
	plan := w.result
	for _, i := range old {
		plan.Blobs.add(i.Size)
	}
	for _, e := range w.expired {
		plan.count(e.Kind)
	}
	plan.Versions, plan.Snapshots = len(w.versions), len(w.needless)
	if dry {
		return plan, nil
	}
	if plan.nothing() {
		w.result.Parts.Number, w.result.Parts.Bytes, err = w.opts.Blobs.Sweep(ctx, w.cutoff)
		return w.result, err
	}
	if err := w.record(ctx, "collect", plan); err != nil {
		return Result{}, err
	}
	if err := w.purge(ctx); err != nil {
		return w.result, err
	}
	if len(w.gone)+len(w.needless) > 0 { // somebody restored it meanwhile
		w.gone, w.needless = nil, nil
		if old, err = w.unreachable(ctx); err != nil {
			return w.result, err
		}
	}
	if err := w.sweep(ctx, old); err != nil {
		return w.result, err
	}
	return w.result, w.record(ctx, "collected", w.result)
}

func (r *Result) count(k Kind) {
	switch k {
	case Run:
		r.Runs++
	case LoggedModel:
		r.Models++
	case Experiment:
		r.Experiments++
	}
}

func (w *collection) record(ctx context.Context, action string, r Result) error {
	data, err := json.Marshal(struct {
		Keep  string `json:"keep"`
		Grace string `json:"grace"`
		Result
	}{w.policy.Keep.String(), w.policy.Grace.String(), r})
	if err != nil {
		return fmt.Errorf("encode the audit record: %w", err)
	}
	_, err = w.opts.Store.AddAudit(ctx, audit.Record{At: w.opts.Now(), Actor: w.by, Action: action, Object: "storage", Data: data})
	return err
}
