// SPDX-License-Identifier: Apache-2.0

// Package control is what a person may ask of the loop: apply a model file, train
// now, promote, roll back, hold, resume, make a version again, and see how things
// stand. Each is one business fact with its audit record. It knows no protocol
// (packages rest and cli), decides no verdict (gate) and moves no traffic by itself
// (release).
package control

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flyball/asof"
	"flyball/blob"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/experiment"
	"flyball/governance/approval"
	"flyball/governance/audit"
	"flyball/governance/duty"
	"flyball/governance/incident"
	"flyball/ident"
	"flyball/job"
	"flyball/loop"
	"flyball/model"
	"flyball/model/registry"
	"flyball/notify"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/training"
	"flyball/training/environment"
	"flyball/training/executor"
)

// Store is what control needs kept. Package store implements it.
type Store interface {
	loop.Store
	loop.Approvals
	job.Store
	MaturityStore
	IncidentStore

	ApplyModel(ctx context.Context, m registry.Model, rec audit.Record, ev event.Event) (registry.Model, bool, error)
	Model(ctx context.Context, name string) (registry.Model, error)
	Models(ctx context.Context) ([]registry.Model, error)
	BringVersion(ctx context.Context, v, floor registry.Version, tell func(kept ident.Ref) (audit.Record, event.Event)) (registry.Version, bool, error)
	AddReproduction(ctx context.Context, r registry.Reproduction, evs ...event.Event) error
	Reproductions(ctx context.Context, model string, version int) ([]registry.Reproduction, error)
	CancelJob(ctx context.Context, id string, now time.Time, rec *audit.Record, evs ...event.Event) error
	AddPipeline(ctx context.Context, p registry.Pipeline) (registry.Pipeline, bool, error)
	ApplyPipeline(ctx context.Context, p registry.Pipeline, models []registry.Applied) (registry.Pipeline, bool, []string, error)
	Pipelines(ctx context.Context, name string) ([]registry.Pipeline, error)
	Snapshots(ctx context.Context, model string) ([]dataset.Made, error)
	Absences(ctx context.Context) ([]duty.Absence, error)
	KeepAbsence(ctx context.Context, a duty.Absence, rec audit.Record, ev event.Event) error
	Turns(ctx context.Context) ([]duty.Turn, error)
	TakeTurn(ctx context.Context, t duty.Turn, ev event.Event) error
	Versions(ctx context.Context, model string) ([]registry.Version, error)
	Alias(ctx context.Context, model, alias string) (ident.Ref, error)
	Jobs(ctx context.Context, model string, limit int) ([]job.Job, error)
	Run(ctx context.Context, id ident.RunID) (experiment.Run, error)
	ReleaseHistory(ctx context.Context, model string) ([]release.State, error)
	FindAudit(ctx context.Context, q audit.Query, limit int) ([]audit.Record, error)
}

// Options are what a Service is built from. All but Sources and Executor are needed.
type Options struct {
	Store    Store
	Blobs    blob.Store
	Log      prediction.Log
	Serving  *serving.Server
	Loop     *loop.Loop
	Decoders model.Decoders
	Now      func() time.Time
	Poke     func()                            // looks for queued jobs at once
	People   func(role, model string) []string // the users who have a role for a model, by name
	Links    approval.Key                      // signs the links by which somebody answers a request for leave
	Logger   *slog.Logger
	Ways     func(name string) []notify.Address // by which a person can be told; nil: by none
	Sources  training.Sources                   // what lies elsewhere than in uploaded files; nil: nothing

	// Executor runs the commands of models that train by one: whoever may apply may then
	// run code here. Nil: such models are refused.
	Executor executor.Executor

	// Environment makes a Python environment, and gives its interpreter; nil: a model with
	// train.environment cannot be made again.
	Environment func(ctx context.Context, n environment.Need) (python string, err error)
}

// Service answers what people ask. All methods may be called at once.
type Service struct {
	opts Options

	mu     sync.Mutex
	parsed map[string]parsed // by model

	drilling sync.Mutex // while a version is loaded a second time

	glass atomic.Pointer[[]incident.Incident] // of break-glass, that are open
}

// parsed is a model file as it was applied, read once for each generation.
type parsed struct {
	generation int64
	model      loop.Model
}

// now is the moment of which ctx asks how things stood, and the time else.
func (s *Service) now(ctx context.Context) time.Time { return asof.Now(ctx, s.opts.Now()) }

// New makes a service.
func New(opts Options) *Service {
	return &Service{opts: opts, parsed: map[string]parsed{}}
}
