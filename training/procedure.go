// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/serving/prediction"
	"flyball/stat"
	"flyball/unit"
)

// Trials are how two ways of training are compared.
type Trials struct {
	Metric string   // empty: the loss by which the first one's gate judges
	Margin *float64 // how much worse is not harm; nil: the gate's for the metric
	Splits int      // how often; 0: 10
}

// Round is one split of a comparison: both trained on the rows before it.
type Round struct {
	From      time.Time `json:"from,omitzero"` // first due moment of the rows held out
	To        time.Time `json:"to,omitzero"`
	Train     int       `json:"train"` // rows of the first; the second's window may be another
	Test      int       `json:"test"`
	Reference float64   `json:"reference"` // the metric of the first way
	Candidate float64   `json:"candidate"` // of the second
	Gain      float64   `json:"gain"`      // turned so that positive is better
}

// Contest is what a comparison of two ways of training came to. The interval is that of
// Nadeau and Bengio: splits share training rows, so that their differences are more alike
// than those of independent ones.
type Contest struct {
	Metric   string        `json:"metric"`
	Rounds   []Round       `json:"rounds"` // oldest first
	Gain     float64       `json:"gain"`
	Low      float64       `json:"low"`
	High     float64       `json:"high"`
	P        float64       `json:"p"`       // two-sided
	NaiveP   float64       `json:"naive_p"` // as if the splits were independent, for comparison
	Ratio    float64       `json:"test_to_train"`
	Margin   float64       `json:"margin"`
	Decision gate.Decision `json:"decision"` // of the second way against the first
	Needs    int           `json:"needs,omitempty"`
	Text     string        `json:"text"`
}

// leastRound is how many rows a split must train on at least.
const leastRound = 100

// Contest trains by two recipes on the same data, again and again: each time both are
// fitted on rows whose truth was due before a stretch, and measured on that stretch;
// stretches are as long as data.test says, lie one after another and end now. It judges
// the ways of training, not a model: what they would have given whenever they were used.
// It registers nothing. Recipes that predict another thing, or data for fewer than two
// splits, are an Invalid or a Refused fault.
func (t *Trainer) Contest(ctx context.Context, a, b Request, o Trials, progress func(string)) (Contest, error) {
	if progress == nil {
		progress = func(string) {}
	}
	o, err := o.filled(a, b)
	if err != nil {
		return Contest{}, err
	}
	whole := &work{Trainer: t, request: a, recipe: a.Recipe, progress: progress}
	if err := whole.data(ctx); err != nil {
		return Contest{}, err
	}
	out := Contest{Metric: o.Metric, Margin: *o.Margin}
	now, upTo := a.Now, -1
	for len(out.Rounds) < o.Splits {
		progress(fmt.Sprintf("split %d of %d", len(out.Rounds)+1, o.Splits))
		r, next, err := whole.round(ctx, b, o, now, upTo)
		if err != nil {
			return Contest{}, err
		}
		if r.Test == 0 {
			break
		}
		out.Rounds = append([]Round{r}, out.Rounds...)
		if upTo = next; !r.From.IsZero() {
			now = r.From.Add(-time.Microsecond)
		}
	}
	if len(out.Rounds) < 2 {
		return Contest{}, fault.New(fault.Refused, "the data holds %d splits, and two are the least", len(out.Rounds)).
			Do("make data.test.window or data.test.at_least smaller, or give more data")
	}
	out.judge()
	return out, nil
}

// filled is o with its defaults, where the two recipes can be compared.
func (o Trials) filled(a, b Request) (Trials, error) {
	x, y := a.Recipe.Task, b.Recipe.Task
	if x.Column != y.Column || x.Kind != y.Kind || x.Time != y.Time || x.Truth != y.Truth {
		return o, fault.New(fault.Invalid, "the two predict another thing, or another truth").Do("compare model files with the same predict section")
	}
	if !reflect.DeepEqual(a.Files, b.Files) || a.Recipe.Data.Source != b.Recipe.Data.Source {
		return o, fault.New(fault.Invalid, "the two have other data").Do("compare model files with the same data.source")
	}
	if o.Metric == "" {
		o.Metric = a.Recipe.searchMetric()
	}
	if err := evaluation.Check(o.Metric, x.Kind); err != nil {
		return o, err
	}
	for _, r := range a.Recipe.Gate.Metrics {
		if o.Margin == nil && r.Name == o.Metric && r.Against != "baseline" && r.Margin != nil {
			o.Margin = r.Margin
		}
	}
	if o.Margin == nil {
		o.Margin = new(float64)
	}
	if o.Splits == 0 {
		o.Splits = 10
	}
	if o.Splits < 2 || o.Splits > 1000 {
		return o, fault.New(fault.Invalid, "%d splits cannot be made", o.Splits).Do("ask for 2 to 1000")
	}
	return o, nil
}

// round is the split that ends now, or, of rows without a time, with row upTo (below 0:
// the last); next is the row with which the one before it ends. Too few rows to train on
// are a round of no test rows.
func (w *work) round(ctx context.Context, b Request, o Trials, now time.Time, upTo int) (r Round, next int, err error) {
	first := w.attempt(w.request, now)
	if err := first.cuts(o, upTo); err != nil {
		return r, 0, err
	}
	if len(first.part.Train) < leastRound || len(first.part.Test) == 0 {
		return r, 0, nil
	}
	b.Recipe.Data.Test, b.Recipe.Task = w.recipe.Data.Test, w.recipe.Task
	second := w.attempt(b, now)
	if err := second.cuts(o, upTo); err != nil {
		return r, 0, err
	}
	r = Round{From: first.part.TestFrom, To: first.part.TestTo, Train: len(first.part.Train), Test: len(first.part.Test)}
	next = len(first.part.Mature) - len(first.part.Test)
	if r.Reference, err = first.tried(ctx, o.Metric); err != nil {
		return r, 0, err
	}
	if r.Candidate, err = second.tried(ctx, o.Metric); err != nil {
		return r, 0, err
	}
	if r.Gain = r.Reference - r.Candidate; !evaluation.LowerIsBetter(o.Metric) {
		r.Gain = -r.Gain
	}
	return r, next, nil
}

// attempt is the work of a request on the rows that were read, as at a moment.
func (w *work) attempt(r Request, now time.Time) *work {
	r.Now = now
	return &work{Trainer: w.Trainer, request: r, recipe: r.Recipe, progress: func(string) {}, snapshot: w.snapshot, rows: w.rows}
}

// cuts takes the rows apart. Rows without a time are taken by their place: the newest
// half is divided among the splits.
func (w *work) cuts(o Trials, upTo int) error {
	task := w.recipe.Task
	if task.Time != "" || task.Truth.DueAt != "" {
		err := w.split(context.Background())
		if fault.Is(err, fault.Refused) { // no rows are left
			w.part = dataset.Split{}
			return nil
		}
		return err
	}
	if err := w.split(context.Background()); err != nil {
		return err
	}
	p := &w.part
	size := max(1, len(p.Mature)/(2*o.Splits))
	if upTo >= 0 {
		p.Mature = p.Mature[:min(upTo, len(p.Mature))]
	}
	from := max(0, len(p.Mature)-size)
	p.Train, p.Test = p.Mature[:from], p.Mature[from:]
	return nil
}

// tried fits the recipe on the training rows, and measures it on those held out.
func (w *work) tried(ctx context.Context, metric string) (v float64, err error) {
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.choose(ctx); err != nil {
		return 0, err
	}
	b, err := w.make(ctx, w.recipe.Train, w.recipe.Pipeline, w.part.Train, w.Workers, nil)
	if err != nil {
		return 0, err
	}
	test := w.rows.Take(w.part.Test)
	got, err := b.Predict(ctx, test)
	if err != nil {
		return 0, err
	}
	return evaluation.Value(metric, w.sampled(map[string][]float64{prediction.Candidate: got.Values}), prediction.Candidate)
}

// sampled is the test rows with what was said of them, each counting once.
func (w *work) sampled(scores map[string][]float64) evaluation.Sample {
	s := evaluation.Sample{Kind: w.recipe.Task.Kind, Classes: w.classes, Decide: w.recipe.Task.Decide, Costs: w.recipe.Task.Cost, Scores: scores}
	for _, r := range w.part.Test {
		s.Truth = append(s.Truth, w.labels[r])
	}
	return s
}

// judge decides by the interval of the gains.
func (c *Contest) judge() {
	var gains []float64
	train, test := 0, 0
	for _, r := range c.Rounds {
		gains = append(gains, r.Gain)
		train, test = train+r.Train, test+r.Test
	}
	c.Ratio = float64(test) / float64(train)
	m, naive := stat.NadeauBengio(gains, c.Ratio), stat.MeanOf(gains)
	c.Gain, c.P, c.NaiveP = m.Value, 2*min(m.Below(), 1-m.Below()), 2*min(naive.Below(), 1-naive.Below())
	c.Low, c.High = m.Interval(0.95)
	switch {
	case c.Low > 0:
		c.Decision = gate.Superior
	case c.Low > -c.Margin:
		c.Decision = gate.NonInferior
	case c.High < -c.Margin:
		c.Decision = gate.Harm
	default:
		c.Decision = gate.Inconclusive
		half, room := c.Gain-c.Low, c.Gain+c.Margin
		if ratio := half / math.Abs(room); ratio > 1 && !math.IsInf(ratio, 0) {
			c.Needs = int(math.Ceil(math.Min(1e6, float64(len(gains))*(ratio*ratio-1))))
		}
	}
	last := c.Rounds[len(c.Rounds)-1]
	digits := unit.FineDigits(max(math.Abs(last.Candidate), math.Abs(last.Reference)), c.Low, c.High)
	word := "better"
	if c.Gain < 0 {
		word = "worse"
	}
	c.Text = fmt.Sprintf("the second way is %s by %s (%s…%s) in %s over %d splits", word, unit.Fixed(math.Abs(c.Gain), digits),
		unit.Signed(c.Low, digits), unit.Signed(c.High, digits), c.Metric, len(gains))
	if c.Needs > 0 {
		c.Text += fmt.Sprintf("; about %d more splits would tell", c.Needs)
	}
}
