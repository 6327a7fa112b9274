// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"context"
	"io"
	"iter"
)

// Source is another server's tracking and registry.
type Source interface {
	// Count is how many records of each kind there are, as Kinds names them;
	// kinds that cannot be counted cheaply are left out.
	Count(ctx context.Context) (map[string]int64, error)

	// Records yields everything in the order in which it can be brought in: experiments,
	// runs by experiment and id with their points, logged models, models, versions,
	// aliases. An error is the last.
	Records(ctx context.Context) iter.Seq2[Record, error]

	// Files yields the files of a run or logged model. An error is the last.
	Files(ctx context.Context, owner Record) iter.Seq2[File, error]

	// Close lets the source go.
	Close() error
}

// Bytes is a Source that also holds what Flyball's versions are made of.
type Bytes interface {
	Blobs() iter.Seq2[File, error]
}

// File is an artifact.
type File struct {
	Path string // below the root of its run or logged model, with slashes
	Size int64  // bytes; 0 also when it is not known
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// maxPoints is how many points a run's record holds; the others follow as Points.
const maxPoints = 10_000

// Split cuts a record of a run whose history is long into several; any other record
// is itself.
func (r Record) Split() []Record {
	out := []Record{r}
	if r.Run == nil || len(r.Run.Metrics) <= maxPoints {
		return out
	}
	rest := r.Run.Metrics[maxPoints:]
	run := *r.Run
	run.Metrics, run.More = run.Metrics[:maxPoints], true
	out[0] = Record{Run: &run}
	for len(rest) > 0 {
		n := min(len(rest), maxPoints)
		out = append(out, Record{Points: &Points{Run: run.ID, Metrics: rest[:n]}})
		rest = rest[n:]
	}
	return out
}
