// SPDX-License-Identifier: Apache-2.0

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"flyball/fault"
	"flyball/serving/release"
)

// Control is who tells a replica what to serve. All methods may be called at once.
type Control interface {
	// Desired is what is to be served. Where that is what the caller has, it waits for
	// the next for some time first.
	Desired(ctx context.Context, have int64) (Desired, error)

	// Report tells how the replica stands, and is its lease.
	Report(ctx context.Context, r Report) (Grant, error)

	// Leave ends the lease.
	Leave(ctx context.Context, name, process string) error
}

// Options are what an Agent is built from. All are needed but Counts, Forget, Shipped,
// Told, Now and Every.
type Options struct {
	Control Control
	Keeper  *Keeper
	Dir     string // where the last of what is to be served is kept
	Name    string // of the replica, among all
	Process string // names this run of it
	Address string // where others reach it
	Build   string // the version of the program
	Logger  *slog.Logger

	Counts  func() []release.Hour     // what was counted since the process began and Forget did not forget
	Forget  func(kept []release.Hour) // those are kept elsewhere
	Shipped func() Shipped            // how far the log was handed on
	Told    func(d Desired) error     // who may ask, before models are served; an error refuses all of it
	Now     func() time.Time          // the machine's; nil: time.Now
	Every   time.Duration             // between two reports; 0: 2 s
}

// Agent keeps a server serving what it is told to. Run it once; its other methods may be
// called at once with it and each other.
type Agent struct {
	Options
	began time.Time    // the origin of until
	until atomic.Int64 // of the lease, in nanoseconds since began, by the machine's monotonic clock
	apart atomic.Int64 // how far this machine's clock is behind the database's, in nanoseconds

	mu    sync.Mutex
	have  Desired
	whole bool   // all of have is served
	why   error  // why not
	stale func() // ends the asking that is under way
	soon  chan struct{}
}

// NewAgent makes an agent that does nothing yet.
func NewAgent(o Options) *Agent {
	if o.Every == 0 {
		o.Every = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Agent{Options: o, began: time.Now(), soon: make(chan struct{}, 1)}
}

// Alone reports whether the replica has no lease: it may have been cut off, or stood
// still, so that what it knows of versions on trial may be out of date. A stretch in
// which the process was stopped counts.
func (a *Agent) Alone() bool { return time.Since(a.began) >= time.Duration(a.until.Load()) }

// Apart is how far this machine's clock is behind the one that decides; negative: it is
// ahead.
func (a *Agent) Apart() time.Duration { return time.Duration(a.apart.Load()) }

// Knows reports whether the replica was ever told what to serve, and whom.
func (a *Agent) Knows() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.have.Version > 0
}

// Ready is nil when all that the replica was told to serve last is served.
func (a *Agent) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.have.Version == 0:
		return fault.New(fault.Unavailable, "the replica was not told yet what to serve").Do("see that a process of --role control runs and can be reached")
	case !a.whole:
		return a.why
	}
	return nil
}

// Run keeps the server as it is told until ctx is done; then it gives its lease back and
// returns nil. What is served goes on to be served.
func (a *Agent) Run(ctx context.Context) error {
	if err := a.resume(ctx); err != nil {
		a.Logger.Warn("what was served before cannot be served; waiting to be told", "error", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { a.follow(ctx); return nil })
	g.Go(func() error { a.reports(ctx); return nil })
	err := g.Wait()
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := a.Control.Leave(leave, a.Name, a.Process); err != nil {
		a.Logger.Info("the lease was not given back; it ends by itself", "error", err)
	}
	return err
}

func (a *Agent) file() string { return filepath.Join(a.Dir, "desired.json") }

// resume serves the last that this replica was told. It has no lease yet, so no version on
// trial answers.
func (a *Agent) resume(ctx context.Context) error {
	raw, err := os.ReadFile(a.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var d Desired
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be read", a.file())
	}
	return a.take(ctx, d)
}

// keep has d on disk, as a whole.
func (a *Agent) keep(d Desired) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	part := a.file() + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, a.file())
}

// take serves d, unless it is older than what is served. Each model is published when all
// that it needs is loaded; one that cannot be stays as it was, and the others go on.
func (a *Agent) take(ctx context.Context, d Desired) error {
	a.mu.Lock()
	have := a.have
	a.mu.Unlock()
	if err := d.After(have); err != nil {
		return err
	}
	if a.Told != nil {
		if err := a.Told(d); err != nil {
			return err
		}
	}
	var failed []error
	for _, m := range d.Models {
		if err := a.Keeper.Publish(ctx, m); err != nil {
			failed = append(failed, err)
		}
	}
	if have.Version != d.Version || have.Fence != d.Fence {
		if err := a.keep(d); err != nil { // served all the same; a restart begins with an older one
			a.Logger.Error("what is to be served cannot be kept on disk", "error", err)
		}
	}
	err := errors.Join(failed...)
	a.mu.Lock()
	a.have, a.whole, a.why = d, err == nil, fault.Wrap(err, fault.Unavailable, "not all that is to be served could be loaded")
	a.mu.Unlock()
	return err
}

// follow takes what it is told, as it is told.
func (a *Agent) follow(ctx context.Context) {
	wait := backoff{}
	for ctx.Err() == nil {
		err := a.next(ctx)
		if err == nil {
			wait = backoff{}
			continue
		}
		wait.after(ctx, a.Logger, "what to serve was not learnt", err)
	}
}

// next asks once what to serve, and serves it.
func (a *Agent) next(ctx context.Context) error {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	a.mu.Lock()
	have, whole := a.have.Version, a.whole
	a.stale = cancel
	a.mu.Unlock()
	ask := have
	if !whole {
		ask = 0 // what could not be loaded may be there by now
	}
	d, err := a.Control.Desired(asked, ask)
	switch {
	case asked.Err() != nil:
		return nil // there is something newer, or an end
	case err != nil:
		return err
	case d.Version == have && whole:
		return nil
	}
	err = a.take(ctx, d)
	a.report()
	return err
}

// again ends the asking that is under way: what it waits for is there already.
func (a *Agent) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stale != nil {
		a.stale()
	}
}

// report has a report sent now.
func (a *Agent) report() {
	select {
	case a.soon <- struct{}{}:
	default:
	}
}

// reports tells every few seconds how the replica stands.
func (a *Agent) reports(ctx context.Context) {
	tick := time.NewTicker(a.Every)
	defer tick.Stop()
	failing := false
	for {
		err := a.tell(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			a.Logger.Warn("nobody takes the reports of this replica; when its lease ends it answers by live versions alone", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.soon:
		}
	}
}

// tell sends one report and takes the lease that it is answered with, from when it was
// sent, less a tenth for clocks that do not run alike.
func (a *Agent) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*a.Every)
	defer cancel()
	r := a.Standing()
	sent, at := time.Now(), a.Now()
	g, err := a.Control.Report(ctx, r)
	if err != nil {
		return err
	}
	took := time.Since(sent)
	// Who had none before takes a lease only when it serves the newest: what it serves may
	// have been taken back while nobody counted on it.
	if !a.Alone() || g.Version <= r.Version && a.Ready() == nil {
		a.until.Store(int64(sent.Sub(a.began) + g.Lease - g.Lease/10))
	}
	a.apart.Store(int64(g.Now.Sub(at.Add(took / 2))))
	if a.Forget != nil {
		a.Forget(r.Hours)
	}
	if g.Version > r.Version {
		a.again()
	}
	return nil
}

// Standing is how the replica stands now.
func (a *Agent) Standing() Report {
	a.mu.Lock()
	d := a.have
	a.mu.Unlock()
	r := Report{Name: a.Name, Process: a.Process, Address: a.Address, Build: a.Build, Version: d.Version}
	for _, m := range d.Models {
		r.Models = append(r.Models, a.Keeper.Held(m.Name, m.Route.Candidate))
	}
	if a.Shipped != nil { // before the counts: nothing that they tell is missing from it for long
		r.Shipped = a.Shipped()
	}
	if a.Counts != nil {
		r.Hours = a.Counts()
	}
	return r
}

// backoff waits longer after each failure in a row, at most two seconds, and tells of the
// first.
type backoff struct{ last time.Duration }

func (b *backoff) after(ctx context.Context, logger *slog.Logger, what string, err error) {
	if b.last == 0 && ctx.Err() == nil {
		logger.Warn(what, "error", err)
	}
	b.last = min(max(2*b.last, 100*time.Millisecond), 2*time.Second)
	t := time.NewTimer(b.last)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
