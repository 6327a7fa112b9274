// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"flyball/experiment"
	"flyball/experiment/evaluation"
	"flyball/fault"
)

// The bounds of what a list measures: runs of a page, bytes of one run's predictions
// (what is more is also compared one at a time), and distances that are remembered.
const mostMeasured, mostBytes, mostRemembered = 200, 4 << 20, 20_000

// distances remembers what was measured. Predictions are named by their digest, so
// that nothing remembered is ever out of date.
type distances struct {
	lock sync.Mutex
	kept map[string]*Distance // nil value: cannot be measured
}

func (d *distances) get(key string) (*Distance, bool) {
	d.lock.Lock()
	defer d.lock.Unlock()
	out, ok := d.kept[key]
	return out, ok
}

func (d *distances) put(key string, v *Distance) {
	d.lock.Lock()
	defer d.lock.Unlock()
	if d.kept == nil || len(d.kept) >= mostRemembered {
		d.kept = map[string]*Distance{}
	}
	d.kept[key] = v
}

// distancesOf puts into each row how far the run lies from the reference. Without a
// live version yet there is nothing to tell; a baseline that is declared and not there
// is told instead of the verdict.
func (f *Finder) distancesOf(ctx context.Context, a Ask, only *experiment.Experiment, runs []experiment.Run, out *List) error {
	if a.Against == "none" || only == nil || len(runs) == 0 {
		return nil
	}
	if a.Against == "" {
		a.Against = "baseline"
	}
	all := []found{{ref: "run:" + string(runs[0].ID), run: runs[0]}}
	reference, err := f.against(ctx, Question{Against: a.Against, Model: only.Name}, all)
	switch missing := fault.Is(err, fault.NotFound); {
	case missing && a.Against == "live":
		return nil
	case missing && a.Against == "baseline":
		out.Sentence = err.Error()
		return nil
	case err != nil:
		return err
	}
	of, err := f.load(ctx, []found{reference})
	if err != nil {
		return err
	}
	shown := of[0].shown()
	out.Against = &shown
	o := Options{Primary: a.Metric}
	f.rules(ctx, only.Name, &o)
	for i, r := range runs[:min(len(runs), mostMeasured)] {
		d, err := f.distance(ctx, r, reference.predicted(), of[0], o)
		if err != nil {
			return err
		}
		out.Runs[i].Distance = d
	}
	out.Sentence = out.sentence()
	return nil
}

// distance is that of one run; nil where there is nothing to measure. Values that were
// logged count only where predictions are missing: those of other rows tell nothing.
func (f *Finder) distance(ctx context.Context, run, referenceRun experiment.Run, reference Subject, o Options) (*Distance, error) {
	if run.ID == referenceRun.ID {
		return nil, nil
	}
	own, size, err := f.digest(ctx, run)
	if err != nil {
		return nil, err
	}
	other, _, err := f.digest(ctx, referenceRun)
	if err != nil {
		return nil, err
	}
	if own == "" || other == "" && !reference.Constant || size > mostBytes {
		return loggedDistance(run, referenceRun, o.Primary), nil
	}
	key := fmt.Sprint(own, "|", other, "|", reference.Version, "|", o.Primary, o.Margins, o.Costs)
	if d, ok := f.far.get(key); ok {
		return d, nil
	}
	s, err := f.subject(ctx, found{ref: "run:" + string(run.ID), run: run})
	if err == nil {
		s.Name = short8(s.Run)
		err = f.also(ctx, run, &s, reference.Version)
	}
	if err != nil {
		return nil, err
	}
	d := measured(s, reference, o)
	f.far.put(key, d)
	return d, nil
}

// digest names the predictions of a run; empty: it keeps none.
func (f *Finder) digest(ctx context.Context, run experiment.Run) (string, int64, error) {
	if run.ID == "" {
		return "", 0, nil
	}
	name := ""
	for _, file := range []string{ManifestFile, PredictionsFile, PredictionsFileZip} {
		path, ours := below(run.Location, file)
		if !ours {
			return "", 0, nil
		}
		e, err := f.Artifacts.Stat(ctx, path)
		switch {
		case fault.Is(err, fault.NotFound) && file == ManifestFile:
			return "", 0, nil
		case fault.Is(err, fault.NotFound):
		case err != nil:
			return "", 0, err
		case file == ManifestFile:
			name = string(e.Digest)
		default:
			return name + string(e.Digest), e.Size, nil
		}
	}
	return "", 0, nil
}

// measured judges the one metric that decides; nil where it cannot be.
func measured(s, reference Subject, o Options) *Distance {
	m := match(s, reference)
	if m.why != "" {
		return nil
	}
	m.sample.Costs = o.Costs
	o.Metrics = o.metrics(m.sample.Kind)[:1]
	p := Pair{Name: s.Name, Against: reference.Name}
	o.judge(&p, m.sample)
	if len(p.Metrics) == 0 || p.Metrics[0].Difference == nil {
		return nil
	}
	j := p.Metrics[0]
	d := j.Difference
	return &Distance{Metric: j.Metric, Own: d.Candidate, Value: d.Value, Low: &d.Low, High: &d.High, Rows: d.Rows, Decision: j.Decision}
}

// loggedDistance is the difference of the values that both logged.
func loggedDistance(run, reference experiment.Run, metric string) *Distance {
	names := []string{metric}
	if metric == "" {
		names = []string{"log_loss", "auc", "mae", "rmse", "accuracy", "brier"}
	}
	for _, name := range names {
		a, okA := valueOf(run, name)
		b, okB := valueOf(reference, name)
		if !okA || !okB {
			continue
		}
		sign := 1.0
		if evaluation.LowerIsBetter(name) {
			sign = -1
		}
		return &Distance{Metric: name, Own: a, Value: sign * (a - b)}
	}
	return nil
}

func valueOf(r experiment.Run, metric string) (float64, bool) {
	i := slices.IndexFunc(r.Metrics, func(m experiment.Metric) bool { return m.Key == metric })
	if i < 0 || latest(r.Metrics[i]).Value == nil {
		return 0, false
	}
	return r.Metrics[i].Value, true
}
