// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"fmt"
	"strings"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/stat"
)

// The bounds of the search of slices: values of a column, and parts in all.
const maxValues, maxParts = 50, 200

// Slice is a part of the rows. Its decision has Holm's correction for the number of
// parts that were looked at: superior, harm or inconclusive.
type Slice struct {
	Column     string                 `json:"column"`
	Value      string                 `json:"value"`
	Rows       int                    `json:"rows"`
	Positives  int                    `json:"positives,omitempty"`
	Difference *evaluation.Difference `json:"difference,omitempty"`
	Alone      gate.Decision          `json:"alone,omitempty" doc:"what its interval would say if nobody had looked elsewhere"`
	Holm       *float64               `json:"holm,omitempty" doc:"two-sided p-value of a difference, after Holm"`
	Decision   gate.Decision          `json:"decision"`
	NotJudged  bool                   `json:"not_judged,omitempty"`
	Text       string                 `json:"text"`
}

// slices looks for parts in which the subject is better or worse in the metric that
// decides.
func (p *Pair) slices(s evaluation.Sample, primary Judged) {
	if primary.NotJudged {
		return
	}
	s.Slices = p.narrow(s.Slices)
	var at []int
	var pValues []float64
	for _, part := range evaluation.Slices(s) {
		column, value, _ := strings.Cut(part.Name, "=")
		for _, c := range s.Slices { // a column's name may hold an =
			if rest, ok := strings.CutPrefix(part.Name, c.Name+"="); ok && len(c.Name) > len(column) {
				column, value = c.Name, rest
			}
		}
		f := Slice{Column: column, Value: value, Rows: len(part.Sample.Truth), Decision: gate.Inconclusive, NotJudged: true}
		if s.Kind == dataset.Binary {
			for _, y := range part.Sample.Truth {
				f.Positives += int(y)
			}
		}
		f.Text = fmt.Sprintf("%s is not judged (n=%d)", part.Name, f.Rows)
		if gate.Enough(part.Sample) && len(at) < maxParts {
			if d, err := evaluation.Compare(primary.Metric, part.Sample, candidate, live, s.Seed()); err == nil {
				d.Slice, d.Against = part.Name, p.Against
				f.Difference, f.NotJudged, f.Alone = &d, false, byInterval(d)
				at, pValues = append(at, len(p.Slices)), append(pValues, min(1, 2*min(d.P, 1-d.P)))
			}
		}
		p.Slices = append(p.Slices, f)
	}
	p.Judged = len(at)
	for k, q := range stat.Holm(pValues) {
		f := &p.Slices[at[k]]
		f.Holm = &q
		if q < 0.05 {
			f.Decision = f.Alone
		}
		f.Text = fmt.Sprintf("%s: %s", f.Difference.Slice, gate.Change(*f.Difference))
	}
}

// narrow leaves out columns of too many values.
func (p *Pair) narrow(all []evaluation.SliceColumn) []evaluation.SliceColumn {
	var out []evaluation.SliceColumn
	for _, c := range all {
		seen := map[string]bool{}
		for _, v := range c.Values {
			if seen[v] = true; len(seen) > maxValues+1 {
				break
			}
		}
		delete(seen, "")
		if len(seen) > maxValues {
			p.Notes = append(p.Notes, fmt.Sprintf("%s has more than %d values and is not searched", c.Name, maxValues))
			continue
		}
		out = append(out, c)
	}
	return out
}

func byInterval(d evaluation.Difference) gate.Decision {
	switch {
	case d.Low > 0:
		return gate.Superior
	case d.High < 0:
		return gate.Harm
	}
	return gate.Inconclusive
}
