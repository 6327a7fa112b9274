// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"flyball/event"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/job"
)

var _ job.Store = (*DB)(nil)

const jobColumns = `id, kind, job_key, model, input, state, attempt, fence, result, error, progress, added_at, ended_at`

func scanJob(s scanner) (job.Job, error) {
	var j job.Job
	err := s.Scan(&j.ID, &j.Kind, &j.Key, &j.Model, document{&j.Input}, &j.State, &j.Attempt, &j.Fence,
		document{&j.Result}, &j.Error, &j.Progress, moment{&j.AddedAt}, moment{&j.EndedAt})
	return j, err
}

// AddJob adds j as queued unless a job with its kind and key exists, and returns the
// job as it is kept. An empty ID gets one; an empty Key is the ID, so that the job is
// like no other.
func (db *DB) AddJob(ctx context.Context, j job.Job) (job.Job, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	j.ID = cmp.Or(j.ID, hex.EncodeToString(random[:]))
	j.Key = cmp.Or(j.Key, j.ID)
	kept := job.Job{}
	err := db.atomic(ctx, "the job was not added", func(t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO jobs (id, kind, job_key, model, input, state, added_at) VALUES ($1, $2, $3, $4, $5, 'queued', $6)
			ON CONFLICT (kind, job_key) DO NOTHING`, j.ID, j.Kind, j.Key, j.Model, text(j.Input), j.AddedAt.UnixMicro())
		if err != nil {
			return err
		}
		kept, err = scanJob(t.row(ctx, `SELECT `+jobColumns+` FROM jobs WHERE kind = $1 AND job_key = $2`, j.Kind, j.Key))
		return err
	})
	return kept, err
}

// claimable is the condition of a job that a worker may take.
const claimable = `(state = 'queued' OR state = 'running' AND lease_until <= {now})`

// ClaimJob gives the oldest job that may be taken a new attempt, fence and lease.
// A job that was claimed maxAttempts times and never ended is failed instead.
func (db *DB) ClaimJob(ctx context.Context, kinds []string, worker string, lease time.Duration, maxAttempts int) (job.Job, bool, error) {
	const what = "no job was claimed"
	if len(kinds) == 0 {
		return job.Job{}, false, nil
	}
	args := make([]any, len(kinds))
	holes := make([]string, len(kinds))
	for i, k := range kinds {
		args[i], holes[i] = k, fmt.Sprintf("$%d", i+1)
	}
	where := `kind IN (` + strings.Join(holes, ", ") + `) AND ` + claimable
	var some int // a look costs no writer its turn
	err := db.row(ctx, `SELECT 1 FROM jobs WHERE `+where+` LIMIT 1`, args...).Scan(&some)
	if errors.Is(err, sql.ErrNoRows) {
		return job.Job{}, false, nil
	} else if err != nil {
		return job.Job{}, false, problem(err, what)
	}
	j, ok := job.Job{}, false
	err = db.atomic(ctx, what, func(t *tx) error {
		j, ok, err = t.claim(ctx, where, args, worker, lease, maxAttempts)
		return err
	})
	if err != nil {
		return job.Job{}, false, err
	}
	return j, ok, nil
}

func (t *tx) claim(ctx context.Context, where string, args []any, worker string, lease time.Duration, maxAttempts int) (job.Job, bool, error) {
	for {
		j, err := scanJob(t.row(ctx, `SELECT `+jobColumns+` FROM jobs WHERE `+where+` ORDER BY seq LIMIT 1 {skip}`, args...))
		if errors.Is(err, sql.ErrNoRows) {
			return job.Job{}, false, nil
		} else if err != nil {
			return job.Job{}, false, err
		}
		if maxAttempts > 0 && j.Attempt >= maxAttempts {
			_, err := t.exec(ctx, `UPDATE jobs SET state = 'failed', error = $2, ended_at = {now} WHERE id = $1`, j.ID,
				fmt.Sprintf("started %d times and never ended: its worker was lost each time", j.Attempt))
			if err != nil {
				return job.Job{}, false, err
			}
			continue
		}
		fence, err := t.next(ctx, "fence", 1)
		if err != nil {
			return job.Job{}, false, err
		}
		j, err = scanJob(t.row(ctx, `UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = $2, worker = $3,
			lease_until = {now} + $4, progress = '' WHERE id = $1 RETURNING `+jobColumns, j.ID, fence, worker, lease.Microseconds()))
		return j, err == nil, err
	}
}

// held runs a change of a running job whose fence is still the caller's.
func (db *DB) held(ctx context.Context, what, id, set string, fence int64, args ...any) error {
	return db.atomic(ctx, what, func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE jobs SET `+set+` WHERE id = $1 AND fence = $2 AND state = 'running'`, append([]any{id, fence}, args...)...)
		if err == nil && n == 0 {
			return fault.New(fault.Conflict, "job %s was canceled, or another worker has it", id)
		}
		return err
	})
}

// RenewJob extends the lease from now on, and keeps the progress.
func (db *DB) RenewJob(ctx context.Context, id string, fence int64, lease time.Duration, progress string) error {
	return db.held(ctx, "the lease was not renewed", id, `lease_until = {now} + $3, progress = $4`, fence, lease.Microseconds(), clean(progress))
}

// EndJob ends a running job as Done or Failed; another state is an Invalid fault.
func (db *DB) EndJob(ctx context.Context, id string, fence int64, state job.State, result json.RawMessage, why string, now time.Time) error {
	if state != job.Done && state != job.Failed {
		return fault.New(fault.Invalid, "a job does not end as %s", state)
	}
	return db.held(ctx, "the end of the job was not written", id, `state = $3, result = $4, error = $5, ended_at = $6`, fence,
		string(state), text(result), clean(why), micros(now))
}

// ReturnJob gives a running job back to the queue, as if this attempt had not been.
func (db *DB) ReturnJob(ctx context.Context, id string, fence int64) error {
	return db.held(ctx, "the job was not given back", id, `state = 'queued', attempt = attempt - 1, lease_until = 0, progress = ''`, fence)
}

// EndLeases ends the leases of all jobs that run, so that they are taken over at once,
// and returns how many they are; the attempt that was lost counts. It is for whoever
// knows that no worker lives, such as a server that has just locked its data folder.
func (db *DB) EndLeases(ctx context.Context) (int, error) {
	var ended int64
	err := db.atomic(ctx, "the leases of lost workers were not ended", func(t *tx) (err error) {
		ended, err = t.exec(ctx, `UPDATE jobs SET lease_until = 0 WHERE state = 'running' AND lease_until > 0`)
		return err
	})
	return int(ended), err
}

// CancelJob ends a job that is queued or running as Canceled, with rec (nil: none)
// and evs; its worker learns of it at its next renewal. A job that ended already is a
// Conflict fault.
func (db *DB) CancelJob(ctx context.Context, id string, now time.Time, rec *audit.Record, evs ...event.Event) error {
	if _, err := db.Job(ctx, id); err != nil {
		return err
	}
	return db.atomic(ctx, "the job was not canceled", func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE jobs SET state = 'canceled', ended_at = $2 WHERE id = $1 AND state IN ('queued', 'running')`, id, micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "job %s has ended already", id)
		}
		return t.keep(ctx, rec, evs)
	})
}

// Job is one job; a NotFound fault when there is none.
func (db *DB) Job(ctx context.Context, id string) (job.Job, error) {
	ctx, at := then(ctx)
	j, err := scanJob(db.row(ctx, `SELECT `+jobColumns+` FROM jobs WHERE id = $1 AND added_at <= $2`, id, at))
	return underWay(j, at), found(err, "the job cannot be read", "there is no job %s", id)
}

// Jobs are a model's jobs (of all models when it is empty), the newest first, at most
// limit (and 10,000).
func (db *DB) Jobs(ctx context.Context, model string, limit int) ([]job.Job, error) {
	ctx, at := then(ctx)
	js, err := all(ctx, db, "the jobs cannot be read", scanJob,
		`SELECT `+jobColumns+` FROM jobs WHERE ($1 = '' OR model = $1) AND added_at <= $3 ORDER BY seq DESC LIMIT $2`, model, clamp(limit), at)
	for i := range js {
		js[i] = underWay(js[i], at)
	}
	return js, err
}

// underWay is a job as it was at a moment (present: as it is). Of one that had not ended
// it is not kept whether a worker had it.
func underWay(j job.Job, at int64) job.Job {
	if at == present || j.State.Final() && j.EndedAt.UnixMicro() <= at {
		return j
	}
	return job.Job{ID: j.ID, Kind: j.Kind, Key: j.Key, Model: j.Model, Input: j.Input, State: job.Running, AddedAt: j.AddedAt}
}
