// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"flyball/governance/access"
	"flyball/loop"
	"flyball/serving/predictionlog"
	"flyball/serving/replica"
	"flyball/store"
)

const (
	// replicaLease is how long a replica is counted on after it reported last. What is
	// taken back is out when each replica has said so, or after this time.
	replicaLease = 15 * time.Second

	// pollWait is how long a replica that has the newest is kept waiting for the next: less
	// than proxies cut connections after.
	pollWait = 10 * time.Second
)

// fleet tells the processes that only serve what to serve, and keeps what they tell.
type fleet struct {
	store  *store.DB
	log    *predictionlog.Log
	loop   *loop.Loop
	logger *slog.Logger

	mu     sync.Mutex
	now    replica.Desired
	newer  chan struct{} // closed when now is replaced
	failed bool          // the last look
}

func newFleet(db *store.DB, log *predictionlog.Log, l *loop.Loop, logger *slog.Logger) *fleet {
	return &fleet{store: db, log: log, loop: l, logger: logger, newer: make(chan struct{})}
}

// lookEvery is how often what is desired is made anew where nothing says that it changed.
const lookEvery = 30 * time.Second

// run keeps what is desired as the records have it, until ctx is done. It looks when
// events were written, for every change of a route is one, and when users or tokens
// changed.
func (f *fleet) run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var looked time.Time
	var known int64
	changed := f.store.Changed()
	for {
		generation, err := f.store.AccessGeneration(ctx)
		if err == nil && (generation != known || time.Since(looked) >= lookEvery) {
			if err = f.look(ctx); err == nil {
				looked, known = time.Now(), generation
			}
		}
		if err != nil && ctx.Err() == nil && !f.failed {
			f.logger.Error("replicas cannot be told what to serve", "error", err)
		}
		f.failed = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-changed:
			changed, looked = f.store.Changed(), time.Time{}
		}
	}
}

// look makes what is desired anew, and wakes those who wait where it is another.
func (f *fleet) look(ctx context.Context) error {
	models, err := f.loop.Desired(ctx)
	if err != nil {
		return err
	}
	d := replica.Desired{Models: models}
	users, err := f.store.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users { // programs ask replicas, by token; a password stays here
		d.Users = append(d.Users, access.User{Name: u.Name, Grants: u.Grants, Disabled: u.Disabled})
	}
	tokens, err := f.store.Tokens(ctx)
	if err != nil {
		return err
	}
	d.Tokens = replica.Credentials(tokens)
	if d, err = f.store.SaveDesired(ctx, d); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.Version != f.now.Version {
		f.now = d
		close(f.newer)
		f.newer = make(chan struct{})
	}
	return nil
}

// Desired is what is to be served; it waits while that is the version have.
func (f *fleet) Desired(ctx context.Context, have int64) (replica.Desired, error) {
	wait := time.NewTimer(pollWait)
	defer wait.Stop()
	for {
		f.mu.Lock()
		now, newer := f.now, f.newer
		f.mu.Unlock()
		if now.Version != have {
			return now, nil
		}
		select {
		case <-newer:
		case <-wait.C:
			return now, nil
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

// Report keeps what a replica tells and gives it a lease.
func (f *fleet) Report(ctx context.Context, r replica.Report) (replica.Grant, error) {
	return f.store.KeepReplica(ctx, r, replicaLease)
}

// Leave ends a lease.
func (f *fleet) Leave(ctx context.Context, name, process string) error {
	return f.store.ForgetReplica(ctx, name, process)
}

// Replicas are all that reported in the last week.
func (f *fleet) Replicas(ctx context.Context) ([]replica.State, error) { return f.store.Replicas(ctx) }

// awaited is how long after its last report what a replica has not handed on yet is waited
// for.
const awaited = 15 * time.Minute

// settled is until when all that replicas answered is in the log here. One that has not
// reported for long is waited for no more: what it brings later is late.
func (f *fleet) settled(ctx context.Context, now time.Time) (time.Time, error) {
	all, err := f.store.Replicas(ctx)
	if err != nil || len(all) == 0 {
		return now, err
	}
	taken, err := f.log.Taken(ctx)
	if err != nil {
		return now, err
	}
	return settled(all, taken, now), nil
}

// settled is the least of how far the logs of replicas were taken.
func settled(all []replica.State, taken map[string]predictionlog.Mark, now time.Time) time.Time {
	out := now
	for _, r := range all {
		if !r.Leased && now.Sub(r.Seen) > awaited || r.Shipped.Origin == "" {
			continue
		}
		mark := taken[r.Shipped.Origin]
		upTo := mark.UpTo
		if mark.Seq >= r.Shipped.Seq && r.Shipped.UpTo.After(upTo) {
			upTo = r.Shipped.UpTo
		}
		if upTo.Before(out) {
			out = upTo
		}
	}
	return out
}
