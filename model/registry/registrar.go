// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
)

// Options are what a Registrar is built from. Store and Now are needed.
type Options struct {
	Store Store
	Now   func() time.Time

	// Folder is where, below mlflow-artifacts:/, an MLflow model folder of a version that
	// Flyball made lies; it may make it. nil: there are none.
	Folder func(ctx context.Context, v Version) (path string, err error)

	// Schemes address a host, and sources of versions may use them all the same. Such a
	// source is kept and handed out, never opened.
	Schemes []string
}

// Registrar does what clients ask of the registry: it checks, and has the store keep.
// All methods may be called at once. Its faults speak MLflow's words; by is who asks.
type Registrar struct{ opts Options }

// New makes a registrar.
func New(opts Options) *Registrar { return &Registrar{opts: opts} }

// CreateModel registers a model without a model file. A name that is taken is a
// Conflict fault. Of tags with one key the last is kept.
func (r *Registrar) CreateModel(ctx context.Context, name, about string, tags []Tag) (Listing, error) {
	tags, err := checkTexts(about, tags)
	if err != nil {
		return Listing{}, err
	}
	if err := CheckName(name); err != nil {
		return Listing{}, err
	}
	now := r.opts.Now()
	m := Model{Name: name, About: about, Tags: tags, CreatedAt: now, UpdatedAt: now}
	return Listing{Model: m}, r.opts.Store.CreateModel(ctx, m)
}

// checkTexts checks what people say of a model or a version, and gives the tags with
// one of each key.
func checkTexts(about string, tags []Tag) ([]Tag, error) {
	if utf8.RuneCountInString(about) > maxText {
		return nil, tooLong("description", maxText)
	}
	if len(tags) > maxTags {
		return nil, fault.New(fault.Invalid, "A model or version can have at most %d tags at once. Got %d.", maxTags, len(tags))
	}
	place := map[string]int{}
	out := make([]Tag, 0, len(tags))
	for _, t := range tags {
		if err := CheckTag(t); err != nil {
			return nil, err
		}
		if i, there := place[t.Key]; there {
			out[i] = t
			continue
		}
		place[t.Key] = len(out)
		out = append(out, t)
	}
	return out, nil
}

// Model is a model with its aliases and newest versions.
func (r *Registrar) Model(ctx context.Context, name string) (Listing, error) {
	return r.opts.Store.Listing(ctx, name)
}

// RenameModel gives a model another name. Versions, aliases, tags and the history of
// its aliases go with it.
func (r *Registrar) RenameModel(ctx context.Context, name, to, by string) (Listing, error) {
	if err := checkName("new_name", to); err != nil {
		return Listing{}, err
	}
	if err := r.opts.Store.RenameModel(ctx, name, to, by, r.opts.Now()); err != nil {
		return Listing{}, err
	}
	return r.opts.Store.Listing(ctx, to)
}

// DescribeModel says what a model is; nil leaves that as it is.
func (r *Registrar) DescribeModel(ctx context.Context, name string, about *string) (Listing, error) {
	if about != nil {
		if _, err := checkTexts(*about, nil); err != nil {
			return Listing{}, err
		}
		if err := r.opts.Store.DescribeModel(ctx, name, *about, r.opts.Now()); err != nil {
			return Listing{}, err
		}
	}
	return r.opts.Store.Listing(ctx, name)
}

// DeleteModel deletes a model with everything.
func (r *Registrar) DeleteModel(ctx context.Context, name, by string) error {
	return r.opts.Store.DeleteModel(ctx, name, by, r.opts.Now())
}

// SetModelTag sets a tag.
func (r *Registrar) SetModelTag(ctx context.Context, name string, t Tag) error {
	if err := CheckTag(t); err != nil {
		return err
	}
	return r.opts.Store.SetModelTag(ctx, name, t)
}

// DeleteModelTag removes a tag; one that is not there is no error.
func (r *Registrar) DeleteModelTag(ctx context.Context, name, key string) error {
	return r.opts.Store.DeleteModelTag(ctx, name, key)
}

// SearchModels are the models that q asks for.
func (r *Registrar) SearchModels(ctx context.Context, q Query) (found []Listing, next string, err error) {
	q.Filter = withoutPrompts(q.Filter)
	return r.opts.Store.SearchModels(ctx, q)
}

// SearchVersions are the versions that q asks for, without their reports.
func (r *Registrar) SearchVersions(ctx context.Context, q Query) (found []Version, next string, err error) {
	q.Filter, q.Brief = withoutPrompts(q.Filter), true
	return r.opts.Store.SearchVersions(ctx, q)
}

// SetAlias has an alias point at a version.
func (r *Registrar) SetAlias(ctx context.Context, name, alias string, version int, by string) error {
	if err := CheckAlias(alias); err != nil {
		return err
	}
	if version < 1 {
		return NoVersion(ident.Ref{Model: name, Version: version})
	}
	return r.opts.Store.MoveAlias(ctx, name, alias, version, by, r.opts.Now())
}

// DeleteAlias has an alias point at no version; one that is not there is no error.
func (r *Registrar) DeleteAlias(ctx context.Context, name, alias, by string) error {
	if err := checkAliasForm(alias); err != nil {
		return err
	}
	return r.opts.Store.MoveAlias(ctx, name, alias, 0, by, r.opts.Now())
}

// AliasHistory are the moves of a model's aliases, the newest first.
func (r *Registrar) AliasHistory(ctx context.Context, model string) ([]Move, error) {
	return r.opts.Store.AliasHistory(ctx, model)
}

// ByAlias is the version at which an alias points; Newest, in any case, is the one with
// the highest number. An alias that points nowhere is an Invalid fault, as in MLflow.
func (r *Registrar) ByAlias(ctx context.Context, name, alias string) (Version, error) {
	if err := checkAliasForm(alias); err != nil {
		return Version{}, err
	}
	newest := strings.EqualFold(alias, Newest)
	var v Version
	var err error
	if newest {
		v, err = r.opts.Store.NewestVersion(ctx, name)
	} else {
		v, err = r.opts.Store.VersionByAlias(ctx, name, alias)
	}
	if !fault.Is(err, fault.NotFound) {
		return v, err
	}
	if _, err := r.opts.Store.Listing(ctx, name); err != nil {
		return Version{}, err // there is no such model
	}
	if newest {
		return Version{}, fault.New(fault.NotFound, "Latest version not found for model %s.", name)
	}
	return Version{}, fault.New(fault.Invalid, "Registered model alias %s not found.", alias)
}

// Latest are the newest versions of some stages (none: of all), the oldest first.
func (r *Registrar) Latest(ctx context.Context, name string, stages []string) ([]Version, error) {
	wanted := map[Stage]bool{}
	for _, s := range stages {
		st, err := ParseStage(s)
		if err != nil {
			return nil, err
		}
		wanted[st] = true
	}
	l, err := r.opts.Store.Listing(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []Version
	for _, v := range l.Latest {
		if len(wanted) > 0 && !wanted[v.Stage] {
			continue
		}
		for _, a := range l.Aliases {
			if a.Version == v.Version {
				v.Aliases = append(v.Aliases, a.Name)
			}
		}
		out = append(out, v)
	}
	return out, nil
}
