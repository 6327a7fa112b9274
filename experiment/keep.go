// SPDX-License-Identifier: Apache-2.0

package experiment

import (
	"context"

	"flyball/ident"
)

// ImportedRun is a run of another server with the whole history of its metrics; the
// latest ones need not be in Run.Metrics as well.
type ImportedRun struct {
	Run
	History []Metric
}

// Imports brings in what another server kept. Doing it twice is doing it once. Package
// store implements it.
type Imports interface {
	// ImportRuns adds runs that are not here, deleted ones and those of deleted
	// experiments too, all in one transaction. Of a run that is here and equal but for
	// its metrics the missing points are added; one that is different otherwise is a
	// Conflict fault that names it. It returns how many runs were new.
	ImportRuns(ctx context.Context, runs []ImportedRun) (added int, err error)

	// ImportPoints adds points of a run that is here, deleted or not.
	ImportPoints(ctx context.Context, id ident.RunID, points []Metric) error

	// ImportLoggedModels adds logged models that are not here, deleted ones too, with
	// all points in their Metrics, in one transaction. Of one that is here only missing
	// points are added. It returns how many were new.
	ImportLoggedModels(ctx context.Context, models []LoggedModel) (added int, err error)
}
