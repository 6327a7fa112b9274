// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/prediction"
	"flyball/training/learner"
)

// keepOne of so many trials goes on to the next rung, with so many times the work: the
// rate of successive halving (Jamieson and Talwalkar 2016), as scikit-learn's factor.
const keepOne = 3

// Trial is one try of a search: settings and a window, and how good they were on the
// newest training rows, which were kept out of its fit.
type Trial struct {
	Number   int                  `json:"number"` // 0: the settings as they stand
	Settings map[string]any       `json:"settings,omitempty"`
	Window   *dataset.TrainWindow `json:"window,omitempty"` // nil: there is one window
	Rungs    []Rung               `json:"rungs"`
	Picked   bool                 `json:"picked,omitempty"`
}

// Rung is what a trial came to with a share of the work.
type Rung struct {
	Share float64 `json:"share"` // of the trees or, where they are searched or there are none, of the rows
	Value float64 `json:"value"` // of the search's metric
}

// last is the value on the highest rung.
func (t *Trial) last() float64 { return t.Rungs[len(t.Rungs)-1].Value }

// search is a search of settings and windows under way.
type search struct {
	*work
	metric string
	valid  []int // rows kept out, the newest of the training rows
	fit    []int // the others, oldest first
	trials []Trial
}

// choose has the settings and the window found that do best on the newest training
// rows, and sets them for the rest of the training. The test rows have no part in it:
// they judge what was chosen.
func (w *work) choose(ctx context.Context) error {
	windows := w.recipe.Data.Train
	if len(w.recipe.Train.Search) == 0 && len(windows) < 2 {
		return nil
	}
	s := &search{work: w, metric: w.recipe.searchMetric()}
	if err := s.divide(); err != nil {
		return err
	}
	s.draw(windows)
	if err := s.halve(ctx); err != nil {
		return err
	}
	best := &s.trials[0]
	for i := range s.trials {
		if t := &s.trials[i]; len(t.Rungs) == len(best.Rungs) && s.better(t, best) || len(t.Rungs) > len(best.Rungs) {
			best = t
		}
	}
	best.Picked = true
	w.result.Trials, w.result.Metric = s.trials, s.metric
	w.recipe.Train.Settings = best.Settings
	if best.Window == nil {
		return nil
	}
	w.recipe.Data.Train = dataset.TrainWindows{*best.Window}
	return w.cut(*best.Window)
}

// searchMetric is the gate's loss, or the usual one of the kind.
func (r Recipe) searchMetric() string {
	if rule, ok := r.LossRule(); ok {
		return rule.Name
	}
	if r.Task.Kind == dataset.Regression {
		return "rmse"
	}
	return "log_loss"
}

func (s *search) better(a, b *Trial) bool {
	if evaluation.LowerIsBetter(s.metric) {
		return a.last() < b.last()
	}
	return a.last() > b.last()
}

// divide keeps the newest training rows out: those due in a stretch as long as that of
// the test rows, at least as many as there, at most half.
func (s *search) divide() error {
	rows := s.part.Train
	n := len(rows)
	if n < 20 {
		return fault.New(fault.Refused, "%d training rows are too few to search settings on", n).Do("leave train.search out, or wait for more truth")
	}
	from := n - min(n/2, max(1, s.recipe.Data.Test.AtLeast, len(s.part.Test)))
	if newest := s.due[rows[n-1]]; newest != math.MinInt64 {
		begin := newest - s.recipe.Data.Test.Window.D().Microseconds()
		from = min(from, sort.Search(n, func(k int) bool { return s.due[rows[k]] > begin }))
		from = max(from, n/2)
		for from > 0 && s.due[rows[from]] == s.due[rows[from-1]] { // a moment is not torn apart
			from--
		}
	}
	if from == 0 {
		return fault.New(fault.Refused, "the training rows became due at one moment: settings cannot be searched on them").Do("leave train.search out")
	}
	s.fit, s.valid = rows[:from], rows[from:]
	return nil
}

// draw makes the trials: the settings as they stand, and then every combination where
// all have a list and there are few enough, else draws by the seed. Each is tried with
// each window, where there are several.
func (s *search) draw(windows dataset.TrainWindows) {
	train := s.recipe.Train
	names := slices.Sorted(maps.Keys(train.Search))
	want := train.Trials
	if want == 0 {
		want = 20
	}
	if len(names) == 0 {
		want = 1
	}
	sets := []map[string]any{maps.Clone(train.Settings)}
	if all, ok := grid(train.Search, names, want); ok {
		for _, g := range all {
			sets = append(sets, merged(train.Settings, g))
		}
	} else {
		random := rand.New(rand.NewPCG(train.Seed, 0x736561726368))
		seen := map[string]bool{}
		for tries := 0; len(sets) < want && tries < 20*want; tries++ {
			one := map[string]any{}
			for _, name := range names {
				one[name] = train.Search[name].draw(random)
			}
			if key := text(one); !seen[key] {
				seen[key] = true
				sets = append(sets, merged(train.Settings, one))
			}
		}
	}
	for _, set := range sets {
		if len(windows) < 2 {
			s.trials = append(s.trials, Trial{Number: len(s.trials), Settings: set})
			continue
		}
		for i := range windows {
			s.trials = append(s.trials, Trial{Number: len(s.trials), Settings: set, Window: &windows[i]})
		}
	}
}

// Ends are settings that lie at the borders of the search: each listed value, and both
// ends of each range, one at a time over the settings as they stand. What a learner says
// of these it says of all.
func (s Settings) Ends() []map[string]any {
	var out []map[string]any
	for _, name := range slices.Sorted(maps.Keys(s.Search)) {
		r := s.Search[name]
		values := r.Values
		switch {
		case values != nil:
		case r.Whole:
			values = []any{math.Ceil(r.Low), math.Floor(r.High)}
		default:
			values = []any{r.Low, r.High}
		}
		for _, v := range values {
			out = append(out, merged(s.Settings, map[string]any{name: v}))
		}
	}
	return out
}

func merged(settings, over map[string]any) map[string]any {
	out := maps.Clone(settings)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, over)
	return out
}

// grid is every combination of listed values, if all are listed and it is fewer than n.
func grid(search map[string]Range, names []string, n int) ([]map[string]any, bool) {
	out := []map[string]any{{}}
	for _, name := range names {
		r := search[name]
		if r.Values == nil || len(out)*len(r.Values) >= n {
			return nil, false
		}
		var next []map[string]any
		for _, have := range out {
			for _, v := range r.Values {
				next = append(next, merged(have, map[string]any{name: v}))
			}
		}
		out = next
	}
	return out, len(names) > 0
}

// draw is one value of the range.
func (r Range) draw(random *rand.Rand) any {
	switch u := random.Float64(); {
	case r.Values != nil:
		return r.Values[int(u*float64(len(r.Values)))]
	case r.Log:
		// Rounded, so that a setting reads as somebody would write it.
		return round(math.Exp(math.Log(r.Low) + u*(math.Log(r.High)-math.Log(r.Low))))
	case r.Whole:
		low, high := math.Ceil(r.Low), math.Floor(r.High)
		return low + math.Floor(u*(high-low+1))
	default:
		return round(r.Low + u*(r.High-r.Low))
	}
}

// round is x with four significant digits.
func round(x float64) float64 {
	if x == 0 {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}

// halve tries all with a little work, and the best third again with three times as
// much, until the last have all of it.
func (s *search) halve(ctx context.Context) error {
	rungs := 1
	for n := len(s.trials); n > keepOne && rungs < 5 && s.divides(rungs); n = (n + keepOne - 1) / keepOne {
		rungs++
	}
	going := make([]*Trial, len(s.trials))
	for i := range s.trials {
		going[i] = &s.trials[i]
	}
	for rung := range rungs {
		share := math.Pow(keepOne, float64(rung+1-rungs))
		for k, t := range going {
			s.progress(fmt.Sprintf("searching settings: step %d of %d, trial %d of %d", rung+1, rungs, k+1, len(going)))
			value, err := s.try(ctx, t, share)
			if err != nil {
				return fmt.Errorf("trial %d, %s: %w", t.Number, text(t.Settings), err)
			}
			t.Rungs = append(t.Rungs, Rung{Share: share, Value: value})
		}
		slices.SortStableFunc(going, func(a, b *Trial) int {
			switch {
			case s.better(a, b):
				return -1
			case s.better(b, a):
				return 1
			}
			return a.Number - b.Number
		})
		if rung < rungs-1 {
			going = going[:(len(going)+keepOne-1)/keepOne]
		}
	}
	return nil
}

// divides reports whether the work can be divided so often that the least of it still
// tells something.
func (s *search) divides(times int) bool {
	least := math.Pow(keepOne, float64(times))
	if trees, ok := s.treesOf(s.recipe.Train.Settings); ok {
		return trees/least >= 5
	}
	return float64(len(s.fit))/least >= 200
}

// treesOf is how many trees the settings grow, where their number is not searched.
func (s *search) treesOf(settings map[string]any) (float64, bool) {
	if _, searched := s.recipe.Train.Search["trees"]; searched {
		return 0, false
	}
	n := learner.Trees(s.recipe.Train.With, settings)
	return float64(n), n > 0
}

// try fits a trial with a share of the work and measures it on the rows kept out.
func (s *search) try(ctx context.Context, t *Trial, share float64) (_ float64, err error) {
	train, rows := s.recipe.Train, s.fit
	train.Settings = t.Settings
	if t.Window != nil && t.Window.Window > 0 {
		oldest := s.due[s.valid[0]] - t.Window.Window.D().Microseconds()
		rows = rows[sort.Search(len(rows), func(k int) bool { return s.due[rows[k]] >= oldest }):]
	}
	if trees, ok := s.treesOf(t.Settings); ok {
		train.Settings = merged(t.Settings, map[string]any{"trees": math.Max(1, math.Round(trees*share))})
	} else {
		rows = rows[len(rows)-max(1, int(float64(len(rows))*share)):] // the newest
	}
	if len(rows) == 0 {
		return 0, fault.New(fault.Refused, "no training row lies in the window")
	}
	opened := len(s.opened)
	defer func() { err = errors.Join(err, s.closeFrom(opened)) }()
	b, err := s.make(ctx, train, s.recipe.Pipeline, rows, s.Workers, nil)
	if err != nil {
		return 0, err
	}
	return s.measured(ctx, b)
}

// measured is the metric of a bundle on the rows kept out.
func (s *search) measured(ctx context.Context, b *model.Bundle) (float64, error) {
	got, err := b.Predict(ctx, s.rows.Take(s.valid))
	if err != nil {
		return 0, err
	}
	sample := evaluation.Sample{
		Kind: s.recipe.Task.Kind, Classes: s.classes, Decide: s.recipe.Task.Decide,
		Scores: map[string][]float64{prediction.Candidate: got.Values},
	}
	for _, r := range s.valid {
		sample.Truth = append(sample.Truth, s.labels[r])
	}
	return evaluation.Value(s.metric, sample, prediction.Candidate)
}

// closeFrom closes the bundles that were opened since there were n.
func (w *work) closeFrom(n int) error {
	var errs []error
	for _, b := range w.opened[n:] {
		errs = append(errs, b.Close())
	}
	w.opened = w.opened[:n]
	return errors.Join(errs...)
}
