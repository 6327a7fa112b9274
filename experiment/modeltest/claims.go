// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/serving/prediction"
	"flyball/unit"
)

// golden scores one row that the file gives.
func (r *run) golden(ctx context.Context, g Golden, res *Result) error {
	out, err := r.output(g.Class)
	if err != nil && (g.AtLeast != nil || g.AtMost != nil) {
		return err
	}
	row, err := r.rowOf(g.Row)
	if err != nil {
		return err
	}
	got, err := r.Model.Predict(ctx, row)
	if err != nil {
		return err
	}
	res.Rows, res.Passed = 1, true
	said := r.Model.Decision(got.Row(0))
	if g.Decision != "" {
		res.Passed, res.Text = said == g.Decision, fmt.Sprintf("says %s", word(said))
		if !res.Passed {
			res.Text += ", not " + g.Decision
		}
	}
	if g.AtLeast != nil || g.AtMost != nil {
		v := got.Row(0)[out]
		text, ok := between(v, g.AtLeast, g.AtMost)
		res.Passed = res.Passed && ok
		res.Text = strings.TrimPrefix(res.Text+"; scores "+text, "; ")
	}
	if !res.Passed {
		res.Failed = 1
	}
	return nil
}

func word(decision string) string {
	if decision == "" {
		return "nothing: the model has no decision"
	}
	return decision
}

// rowOf is the file's row as a frame: each input of the model, and no other column.
func (r *run) rowOf(row map[string]any) (*frame.Frame, error) {
	fields := r.Model.Inputs()
	for _, f := range fields {
		if _, ok := row[f.Name]; !ok {
			return nil, fault.New(fault.Invalid, "the row has no %s, which the model asks for", f.Name).Do("give it, or null for a missing value")
		}
	}
	for name := range row {
		if !slices.ContainsFunc(fields, func(f frame.Field) bool { return f.Name == name }) {
			return nil, fault.New(fault.Invalid, "the row has a %s, which the model does not take", name)
		}
	}
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "the row cannot be written as JSON")
	}
	return frame.DecodeRows([]json.RawMessage{raw}, frame.DecodeOptions{Required: fields})
}

// invariance tries each other value of the column on all rows.
func (r *run) invariance(ctx context.Context, t Invariance, res *Result) error {
	c := r.few.Column(t.Column)
	if c == nil {
		res.Passed, res.Rows = true, r.few.Rows()
		res.Text = fmt.Sprintf("the model does not look at %s", t.Column)
		return nil
	}
	var others []frame.Column
	for _, v := range t.To {
		one, err := filled(*c, v)
		if err != nil {
			return err
		}
		others = append(others, one)
	}
	if t.Missing {
		others = append(others, emptied(*c))
	}
	if len(others) == 0 {
		others = append(others, turned(*c))
	}
	worst := make([]float64, r.few.Rows()) // how far each row moves at most
	became := make([]int, r.few.Rows())
	for k, other := range others {
		got, err := r.with(ctx, other)
		if err != nil {
			return err
		}
		for i := range worst {
			for o := range r.scores.Outputs {
				at := i*r.scores.Outputs + o
				if d := math.Abs(got[at] - r.scores.Values[at]); d > worst[i] {
					worst[i], became[i] = d, k
				}
			}
		}
	}
	r.count(res, t.Share, func(i int) bool { return worst[i] <= float64(t.AtMost)+tiny },
		fmt.Sprintf("%s moves the score by at most %s", t.Column, number(largest(worst))),
		func(i int) string {
			return fmt.Sprintf("%s from %s to %s moves the score by %s, at most %s asked for", t.Column, shown(c, i), shown(&others[became[i]], i),
				number(worst[i]), number(float64(t.AtMost)))
		})
	return nil
}

// direction raises the column in all rows where it is a number.
func (r *run) direction(ctx context.Context, t Direction, res *Result) error {
	c := r.few.Column(t.Column)
	out, err := r.output(t.Class)
	switch {
	case err != nil:
		return err
	case c == nil:
		res.Passed, res.Rows = true, r.few.Rows()
		res.Text = fmt.Sprintf("the model does not look at %s", t.Column)
		return nil
	case c.Kind != frame.Number:
		return fault.New(fault.Invalid, "%s is a %s, which cannot be raised", t.Column, c.Kind)
	}
	raised := frame.NumberColumn(t.Column, slices.Clone(c.Num))
	for i := range raised.Num {
		raised.Num[i] += t.By
	}
	got, err := r.with(ctx, raised)
	if err != nil {
		return err
	}
	wrong := make([]float64, r.few.Rows()) // how far each row goes the wrong way
	for i := range wrong {
		at := i*r.scores.Outputs + out
		wrong[i] = r.scores.Values[at] - got[at]
		if t.Must == "not_raise" {
			wrong[i] = -wrong[i]
		}
	}
	verb := map[string]string{"not_lower": "lowers", "not_raise": "raises"}[t.Must]
	r.count(res, t.Share, func(i int) bool { return wrong[i] <= float64(t.Slack)+tiny },
		fmt.Sprintf("%s %s never %s the score", t.Column, unit.Signed(t.By, unit.Digits(t.By)), verb),
		func(i int) string {
			return fmt.Sprintf("%s from %s to %s %s the score by %s", t.Column, shown(c, i), shown(&raised, i), verb, number(wrong[i]))
		})
	return nil
}

// expectation measures the rows of a slice.
func (r *run) expectation(_ context.Context, t Expectation, res *Result) error {
	at, err := dataset.Where(r.Rows, t.Where)
	if err != nil {
		return err
	}
	res.Rows = len(at)
	if least := cmp.Or(max(0, t.Rows), 30); len(at) < least {
		res.Judged, res.Text = false, fmt.Sprintf("not judged: %d rows, %d needed", len(at), least)
		return nil
	}
	metric := t.Metric
	if metric == "" {
		metric = "mean_score"
	}
	v, err := evaluation.Value(metric, r.Sample.Take(at), prediction.Candidate)
	if err != nil {
		return err
	}
	text, ok := between(v, t.AtLeast, t.AtMost)
	res.Passed, res.Text = ok, fmt.Sprintf("%s %s on %d rows", metric, text, len(at))
	return nil
}

// schema compares what the model takes with what was agreed, and leaves out what may
// be missing.
func (r *run) schema(ctx context.Context, t Schema, res *Result) error {
	var wrong []string
	if len(t.Inputs) > 0 {
		wrong = differences(t.Inputs, r.Model.Inputs())
	}
	for _, c := range t.Classes {
		if !slices.Contains(r.Sample.Classes, c) {
			wrong = append(wrong, "there is no class "+c)
		}
	}
	if len(t.Classes) > 0 && len(t.Classes) < len(r.Sample.Classes) {
		wrong = append(wrong, fmt.Sprintf("there are %d classes, not %d", len(r.Sample.Classes), len(t.Classes)))
	}
	for _, name := range t.Missing {
		c := r.few.Column(name)
		if c == nil {
			continue // not looked at, so nothing can be missing
		}
		got, err := r.with(ctx, emptied(*c))
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s may not be missing: %v", name, err))
			continue
		}
		res.Rows = r.few.Rows()
		if slices.ContainsFunc(got, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			wrong = append(wrong, name+" missing gives no number")
		}
	}
	res.Passed, res.Failed = len(wrong) == 0, len(wrong)
	res.Text = strings.Join(wrong, "; ")
	if res.Passed {
		res.Text = fmt.Sprintf("takes %d columns as agreed", len(r.Model.Inputs()))
	}
	return nil
}

// differences says what the model takes and the contract does not, and the other way.
func differences(agreed, taken []frame.Field) (wrong []string) {
	for _, f := range taken {
		switch i := slices.IndexFunc(agreed, func(a frame.Field) bool { return a.Name == f.Name }); {
		case i < 0:
			wrong = append(wrong, "it asks for "+f.Name+", which was not agreed")
		case agreed[i].Kind != f.Kind:
			wrong = append(wrong, fmt.Sprintf("it takes %s as a %s, not a %s", f.Name, f.Kind, agreed[i].Kind))
		}
	}
	for _, a := range agreed {
		if !slices.ContainsFunc(taken, func(f frame.Field) bool { return f.Name == a.Name }) {
			wrong = append(wrong, "it does not take "+a.Name)
		}
	}
	return wrong
}
