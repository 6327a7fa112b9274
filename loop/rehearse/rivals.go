// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/model"
	"flyball/training"
	"flyball/unit"
)

// Rivals are the simple policies that a rehearsal is held against: what they would have
// served, row by row. They judge nothing and release at once.
type Rivals struct {
	Every unit.Duration
	list  []*rival
}

// rival is one simple policy and its answers to all served rows.
type rival struct {
	name, about string
	trained     int
	fits        int
	scores      []float64 // outputs a row, in the order of the stream's classes
}

// The names of the rivals.
const (
	Never    = "never retrained"
	Always   = "always retrained"
	Constant = "baseline alone"
	Best     = "best version at each moment"
)

// usualEvery is how often the rivals retrain where the policy has no schedule.
const usualEvery = unit.Duration(28 * 24 * time.Hour)

// windowOf is the window of a rival where the policy names none: so many times what lies
// between two trainings.
const windowOf = 6

// MakeRivals trains the rivals of a policy: on all that is mature and on a window (the
// policy's own, where it names any), each time its schedule says, and the baseline beside.
func MakeRivals(ctx context.Context, s *Stream, o Options) (*Rivals, error) {
	m := rehearsed(o.Model, s)
	out := &Rivals{Every: cmp.Or(m.Policy.Every, usualEvery)}
	memory := blob.Memory()
	defer memory.Close()
	r := &retrainer{
		stream: s, recipe: m.Recipe, every: out.Every.D(), progress: o.Progress,
		trainer: &training.Trainer{Blobs: memory, Decoders: o.Decoders, Workers: o.Workers, Fits: o.Fits},
	}
	never := &rival{name: Never, about: "the first version answers all", trained: 1, fits: 1}
	constant := &rival{name: Constant, about: "the baseline, made anew every " + out.Every.String()}
	always := &rival{name: Always, about: "on all mature rows, every " + out.Every.String() + ", without a gate"}
	if err := r.run(ctx, dataset.TrainWindow{}, always, never, constant); err != nil {
		return nil, err
	}
	out.list = append(out.list, never, always)
	for _, w := range windowsOf(m.Recipe.Data.Train, out.Every) {
		rolling := &rival{name: Always + ", " + w.Window.String(), about: "on the newest " + w.Window.String() + ", every " + out.Every.String() + ", without a gate"}
		if err := r.run(ctx, w, rolling, nil, nil); err != nil {
			return nil, err
		}
		out.list = append(out.list, rolling)
	}
	out.list = append(out.list, constant)
	return out, nil
}

// rivalKey tells policies apart that have other rivals.
func rivalKey(s *Stream, o Options) (string, error) {
	r := rehearsed(o.Model, s).Recipe
	raw, err := json.Marshal([]any{r.Task, r.Data.Train, r.Pipeline, r.Train, r.Gate.Baseline, o.Model.Policy.Every})
	return string(raw), err
}

func windowsOf(have dataset.TrainWindows, every unit.Duration) []dataset.TrainWindow {
	var out []dataset.TrainWindow
	for _, w := range have {
		if w.Window > 0 {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		out = append(out, dataset.TrainWindow{Window: windowOf * every})
	}
	return out
}

// retrainer trains by the clock alone.
type retrainer struct {
	stream   *Stream
	recipe   training.Recipe
	every    time.Duration
	trainer  *training.Trainer
	progress func(time.Time, string)
}

// run fills in what always would have served, which trains on the window each time, and,
// where they are given, never, which keeps its first version, and the baseline.
func (r *retrainer) run(ctx context.Context, window dataset.TrainWindow, always, never, constant *rival) error {
	s, recipe := r.stream, r.recipe
	recipe.Data.Train = dataset.TrainWindows{window}
	for at := s.From; at.Before(s.To); at = at.Add(r.every) {
		if ctx.Err() != nil {
			return interrupted(ctx.Err())
		}
		if r.progress != nil {
			r.progress(at, always.name)
		}
		from, to := max(s.first, s.before(at)), min(s.last, s.before(at.Add(r.every)))
		made, err := r.trainer.Fit(ctx, recipe, s.rows.Slice(0, s.before(at)), at)
		if err != nil {
			return fmt.Errorf("%s, at %s: %w", always.name, at.Format(time.DateOnly), err)
		}
		err = s.score(ctx, made.Version, from, to, &always.scores)
		if always.trained, always.fits = always.trained+1, always.fits+1; always.trained == 1 && never != nil && err == nil {
			err = s.score(ctx, made.Version, s.first, s.last, &never.scores)
		}
		if constant != nil && err == nil {
			constant.trained++
			err = s.score(ctx, made.Floor, from, to, &constant.scores)
		}
		if err = errors.Join(err, made.Version.Close(), made.Floor.Close()); err != nil {
			return err
		}
	}
	return nil
}

// outputs is how many scores a row has.
func (s *Stream) outputs() int {
	if s.Task.Kind == dataset.Multiclass {
		return len(s.classes)
	}
	return 1
}

// score appends what a version says of the rows [from, to).
func (s *Stream) score(ctx context.Context, b *model.Bundle, from, to int, scores *[]float64) error {
	for ; from < to; from += batch {
		end := min(from+batch, to)
		got, err := b.Predict(ctx, s.rows.Slice(from, end))
		if err != nil {
			return err
		}
		for i := range end - from {
			*scores = append(*scores, s.aligned(got.Row(i), b.Manifest.Classes)...)
		}
	}
	return nil
}

// aligned is the scores of a row in the order of the stream's classes. A version may not
// have met some of them: those it gives nothing.
func (s *Stream) aligned(row []float64, classes []string) []float64 {
	if s.Task.Kind != dataset.Multiclass {
		return row
	}
	out := make([]float64, len(s.classes))
	for k, c := range classes {
		if at := slices.Index(s.classes, c); at >= 0 && k < len(row) {
			out[at] = row[k]
		}
	}
	return out
}

var nan = math.NaN()
