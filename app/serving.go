// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"strings"

	"flyball/blob"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/mlmodel"
	"flyball/model/registry"
	"flyball/search"
	"flyball/serving"
	"flyball/store"
)

// models is where the shelf gets its models: what the registry holds, by the bundle of
// a version that Flyball made or judged, else by the folder that a client logged.
type models struct {
	store    *store.DB
	blobs    *blob.Bucket
	decoders model.Decoders
	app      *App
}

// champion is the alias that a client sets to say which version is to answer.
const champion = "champion"

// Find is the version that a name means. A model under Flyball's care that nothing is
// live of answers nothing, for what was never released has not passed its gate.
func (m *models) Find(ctx context.Context, n ident.Name) (ident.Ref, error) {
	v, err := m.version(ctx, n)
	return v.Ref, err
}

func (m *models) version(ctx context.Context, n ident.Name) (registry.Version, error) {
	switch {
	case n.Version != 0:
		return m.store.Version(ctx, ident.Ref{Model: n.Model, Version: n.Version})
	case n.Alias == registry.Newest:
		return m.store.NewestVersion(ctx, n.Model)
	case n.Alias != "":
		return m.store.VersionByAlias(ctx, n.Model, n.Alias)
	}
	v, err := m.store.VersionByAlias(ctx, n.Model, champion)
	if !fault.Is(err, fault.NotFound) {
		return v, err
	}
	about, err := m.store.Model(ctx, n.Model)
	if fault.Is(err, fault.NotFound) {
		return v, fault.New(fault.NotFound, "no model %q is served", n.Model).Do("see flyball status")
	}
	if err != nil {
		return v, err
	}
	if about.Cared() {
		return v, fault.New(fault.NotFound, "no version of %q is live yet", n.Model).Do("see flyball status %s, or ask for a version by its number", n.Model)
	}
	return m.store.NewestVersion(ctx, n.Model)
}

// Weigh is the size of the version's files.
func (m *models) Weigh(ctx context.Context, ref ident.Ref) int64 {
	v, err := m.store.Version(ctx, ref)
	if err != nil {
		return 0
	}
	if v.Bundle == "" {
		return m.weighFolder(ctx, v)
	}
	about, err := model.ReadManifest(ctx, m.blobs, v.Bundle)
	if err != nil {
		return 0
	}
	size, err := m.blobs.Size(ctx, about.Files[about.Estimator])
	if err != nil {
		return 0
	}
	return size
}

func (m *models) weighFolder(ctx context.Context, v registry.Version) int64 {
	root := strings.Trim(strings.TrimPrefix(v.Location, "mlflow-artifacts:"), "/")
	var size int64
	for e, err := range m.app.artifacts.Walk(ctx, root) {
		if err != nil {
			return 0
		}
		size += e.Size
	}
	return size
}

// Open reads the version and has it ready to answer.
func (m *models) Open(ctx context.Context, ref ident.Ref) (*model.Bundle, error) {
	v, err := m.store.Version(ctx, ref)
	if err != nil {
		return nil, err
	}
	if v.Bundle == "" {
		return m.openFolder(ctx, v)
	}
	return model.Ready(ctx, m.blobs, m.decoders, v.Bundle)
}

// Items are the versions that have files here.
func (m *models) Items(ctx context.Context) ([]ident.Ref, error) {
	var out []ident.Ref
	q := registry.Query{Limit: pageOfVersions, Brief: true, Order: []search.Order{{Key: "name"}}}
	for {
		vs, next, err := m.store.SearchVersions(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, v := range vs {
			if v.Bundle != "" || strings.HasPrefix(v.Location, "mlflow-artifacts:") {
				out = append(out, v.Ref)
			}
		}
		if next == "" {
			return out, nil
		}
		q.Token = next
	}
}

// pageOfVersions is how many versions are read at once.
const pageOfVersions = 10_000

// newServing makes the server of predictions and its shelf.
func (a *App) newServing(decoders model.Decoders) *serving.Server {
	budget := a.cfg.ModelMemory
	if budget == 0 {
		budget = memory() / 4
	}
	a.reasons = serving.NewReasoner(serving.ReasonerOptions{Log: a.log, Logger: a.cfg.Logger, Metrics: a.metrics})
	return serving.New(serving.Options{
		Reasons: a.reasons, Alone: a.alone,
		Log: a.log, Now: a.clock.now, Metrics: a.metrics,
		Shelf: serving.NewShelf(serving.ShelfOptions{
			Source: &models{a.store, a.blobs, decoders, a}, Budget: budget, Metrics: a.metrics,
		}),
	})
}

// alone reports whether another process may lead by now, so that what this one knows of
// versions on trial may be out of date.
func (a *App) alone() bool { return a.cfg.term != nil && a.cfg.term.over() }

// openFolder reads a model that a client logged.
func (m *models) openFolder(ctx context.Context, v registry.Version) (*model.Bundle, error) {
	read, err := mlmodel.Read(ctx, m.app.folder(v.Location), m.decoders, "")
	if err != nil {
		return nil, err
	}
	b, err := read.Hold(ctx, m.decoders, v.Model)
	if err != nil {
		return nil, err
	}
	if err := b.Warm(ctx, read.Examples); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}
