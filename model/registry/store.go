// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"time"

	"flyball/ident"
)

// Store is what a Registry needs kept. Package store implements it. What is not there
// is a NotFound fault and a name that is taken a Conflict fault, as NoModel, NoVersion
// and Taken say them. What a client may not do to a model under Flyball's care
// (MayMove, MayRename, MayDelete, MayDeleteVersion) is asked inside the transaction of
// the change. Times move only where a method takes one.
type Store interface {
	Models
	Versions
	Aliases
	Sources
}

// Models keeps registered models.
type Models interface {
	CreateModel(ctx context.Context, m Model) error
	Listing(ctx context.Context, name string) (Listing, error) // one query
	RenameModel(ctx context.Context, name, to, by string, at time.Time) error
	DescribeModel(ctx context.Context, name, about string, at time.Time) error
	// DeleteModel deletes a model with its versions, aliases and tags. The history of
	// its aliases stays.
	DeleteModel(ctx context.Context, name, by string, at time.Time) error
	SetModelTag(ctx context.Context, name string, t Tag) error
	DeleteModelTag(ctx context.Context, name, key string) error // one that is not there is no error
	SearchModels(ctx context.Context, q Query) (found []Listing, next string, err error)
}

// Versions keeps versions.
type Versions interface {
	// RegisterVersion keeps v under the number after the highest that its model ever
	// had, and returns it with that number.
	RegisterVersion(ctx context.Context, v Version) (Version, error)
	Version(ctx context.Context, ref ident.Ref) (Version, error) // with its tags and aliases
	NewestVersion(ctx context.Context, model string) (Version, error)
	DescribeVersion(ctx context.Context, ref ident.Ref, about string, at time.Time) error
	// SetStage sets a stage; archive also archives the other versions of that stage.
	SetStage(ctx context.Context, ref ident.Ref, s Stage, archive bool, at time.Time) error
	// DeleteVersion deletes a version with its tags and the aliases at it.
	DeleteVersion(ctx context.Context, ref ident.Ref, by string, at time.Time) error
	SetVersionTag(ctx context.Context, ref ident.Ref, t Tag) error
	DeleteVersionTag(ctx context.Context, ref ident.Ref, key string) error // one that is not there is no error
	SearchVersions(ctx context.Context, q Query) (found []Version, next string, err error)
}

// Aliases keeps aliases, and every move of them. A move that a client asks for is in
// the audit chain too.
type Aliases interface {
	// MoveAlias has an alias point at a version; 0: at none, and one that pointed at
	// none is no error.
	MoveAlias(ctx context.Context, model, alias string, to int, by string, at time.Time) error
	VersionByAlias(ctx context.Context, model, alias string) (Version, error)
	AliasHistory(ctx context.Context, model string) ([]Move, error) // the newest first, at most 1,000
}

// Sources knows what sources of versions may name.
type Sources interface {
	RunRoot(ctx context.Context, id ident.RunID) (r Resource, there bool, err error)
	ModelRoot(ctx context.Context, id ident.ModelID) (r Resource, there bool, err error) // deleted ones are not there
	// LoggedByRun is the newest logged model of that name that a run made; empty: none.
	LoggedByRun(ctx context.Context, run ident.RunID, name string) (ident.ModelID, error)
}
