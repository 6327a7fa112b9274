// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/experiment/evaluation"
	"flyball/serving/prediction"
)

const leastCause = 30 // due rows of a group before its metric is told

// Loss is the rows of a group and the sum of the watched metric over them.
type Loss struct {
	Rows int     `json:"rows"`
	Sum  float64 `json:"sum"`
}

// Cause is what a change of the watched metric on due rows is made of. On the groups of
// a column, each with its share w of the rows and its metric m, the change is
// Σ(w′−w)·m, the mix: other rows are asked, and Σw′(m′−m), the concept: the same rows
// have other truths. It counts; it does not explain.
type Cause struct {
	Metric  string  `json:"metric"`
	Change  float64 `json:"change" doc:"on due rows, less held out"`
	Half    float64 `json:"half" doc:"half of the 95 % interval of the value on due rows"`
	Word    string  `json:"word" doc:"mix, concept, or no change"`
	Columns []Split `json:"columns" doc:"the largest mix first"`
	Groups  []Part  `json:"groups" doc:"those in which the metric is worse by most, for their rows"`
}

// Split is the change by one column's groups.
type Split struct {
	Column  string  `json:"column"`
	Mix     float64 `json:"mix"`
	Concept float64 `json:"concept"`
}

// Part is one group of a column.
type Part struct {
	Where string  `json:"where"`
	Rows  int     `json:"rows"`
	Now   float64 `json:"now"`
	Was   float64 `json:"was"`
	Part  float64 `json:"part" doc:"of the change"`
}

// heldGroups counts the held-out rows on the features' groups, the last of which is
// missing values.
func (p *Profile) heldGroups(r Residuals) {
	n := len(r.Truth)
	if r.Rows == nil || r.Rows.Rows() != n || p.HeldOut.Metric == "" {
		return
	}
	width := len(r.Scores) / n
	coder := newCounter(p)
	for i := range p.Features {
		f := &p.Features[i]
		c := r.Rows.Column(f.Name)
		if c == nil || c.Kind != f.Kind || f.groups() < 2 {
			continue
		}
		cols := make([]*frame.Column, len(p.Features))
		cols[i] = c
		at := make([]int, n)
		for k := range at {
			at[k] = k
		}
		codes := coder.column([]int{i}, cols, at)[0]
		losses := make([]Loss, f.groups()+1)
		for k, code := range codes {
			if loss, ok := evaluation.Loss(p.HeldOut.Metric, p.Kind, r.Truth[k], r.Scores[k*width:(k+1)*width]); ok && loss < 1e100 {
				losses[code].Rows++
				losses[code].Sum += loss
			}
		}
		f.HeldOut = losses
	}
}

func (f *Feature) checkHeldOut() bool {
	if f.HeldOut == nil {
		return true
	}
	ok := len(f.HeldOut) == f.groups()+1
	for _, l := range f.HeldOut {
		ok = ok && counts([]int{l.Rows}) && finite(l.Sum)
	}
	return ok
}

// cause takes the change on due rows apart; nil where it is not known.
func (s *stepper) cause(due []prediction.Joined, now time.Time) *Cause {
	h := &s.Profile.HeldOut
	rows := s.gather(due, func(j *prediction.Joined) bool { return !j.Due.After(now) }, now, true)
	f := s.measure(h.Metric, rows)
	if f == nil {
		return nil
	}
	out := &Cause{Metric: h.Metric, Change: f.Value - h.Value, Half: f.Half, Word: "no change"}
	byFeature := s.dueLosses(due, now)
	for i := range s.Profile.Features {
		feature := &s.Profile.Features[i]
		if split, parts, ok := s.split(feature, byFeature[i]); ok {
			out.Columns = append(out.Columns, split)
			out.Groups = append(out.Groups, parts...)
		}
	}
	if len(out.Columns) == 0 {
		return nil
	}
	sign := 1.0
	if !evaluation.LowerIsBetter(h.Metric) {
		sign = -1
	}
	slices.SortStableFunc(out.Columns, func(a, b Split) int { return cmp.Compare(math.Abs(b.Mix), math.Abs(a.Mix)) })
	slices.SortStableFunc(out.Groups, func(a, b Part) int { return cmp.Compare(sign*b.Part, sign*a.Part) })
	out.Columns = out.Columns[:min(10, len(out.Columns))]
	out.Groups = out.Groups[:min(5, len(out.Groups))]
	if math.Abs(out.Change) > out.Half {
		out.Word = "concept"
		if first := out.Columns[0]; first.Mix*out.Change > 0 && math.Abs(first.Mix) >= math.Abs(out.Change)/2 {
			out.Word = "mix"
		}
	}
	return out
}

// dueLosses counts the due rows on the features' groups.
func (s *stepper) dueLosses(due []prediction.Joined, now time.Time) [][]Loss {
	p := s.Profile
	out := make([][]Loss, len(p.Features))
	for i := range out {
		out[i] = make([]Loss, p.Features[i].groups()+1)
	}
	for r := range due {
		j := &due[r]
		scores := s.scores(&j.Record)
		truth, ok := s.truthOf(j)
		if len(scores) == 0 || !ok || j.Due.After(now) {
			continue
		}
		loss, ok := evaluation.Loss(p.HeldOut.Metric, s.Task.Kind, truth, scores)
		if !ok || !(loss < 1e100) {
			continue
		}
		values, ok := s.counter.rows.read(j.Row)
		if !ok {
			continue
		}
		for i := range p.Features {
			l := &out[i][s.counter.code(i, values[i])]
			l.Rows++
			l.Sum += loss
		}
	}
	return out
}

// split is the mix and the concept by one column's groups. A group that one side does
// not hold has the metric of the whole there, so that it counts as mix.
func (s *stepper) split(f *Feature, now []Loss) (Split, []Part, bool) {
	was := f.HeldOut
	before, after := total(was), total(now)
	if len(was) != len(now) || before.Rows == 0 || after.Rows == 0 {
		return Split{}, nil, false
	}
	out := Split{Column: f.Name}
	var parts []Part
	for g := range was {
		w, w2 := share(was[g].Rows, before.Rows), share(now[g].Rows, after.Rows)
		m := before.Sum / float64(before.Rows)
		if was[g].Rows > 0 {
			m = was[g].Sum / float64(was[g].Rows)
		}
		m2 := m
		if now[g].Rows > 0 {
			m2 = now[g].Sum / float64(now[g].Rows)
		}
		out.Mix += (w2 - w) * m
		out.Concept += w2 * (m2 - m)
		if now[g].Rows >= leastCause && was[g].Rows >= leastCause && f.Fixed != "one value" {
			parts = append(parts, Part{Where: f.where(g), Rows: now[g].Rows, Now: m2, Was: m, Part: w2 * (m2 - m)})
		}
	}
	return out, parts, true
}

func total(v []Loss) Loss {
	var out Loss
	for _, l := range v {
		out.Rows += l.Rows
		out.Sum += l.Sum
	}
	return out
}

// where names a group of a column: its range, its words, or that the value is missing.
func (f *Feature) where(group int) string {
	if group == f.groups() {
		return f.Name + " missing"
	}
	first, last := -1, -1
	for b, g := range f.Groups {
		if g == group {
			if first < 0 {
				first = b
			}
			last = b
		}
	}
	if first < 0 {
		return f.Name
	}
	if f.Kind == frame.Text {
		if first < len(f.Words) && first == last {
			return f.Name + "=" + f.Words[first]
		}
		return f.Name + " other"
	}
	low, _ := f.bounds(first)
	_, high := f.bounds(last)
	form := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	if first == last && (first == 0 && low == high || len(f.Counts) <= fewBins) {
		return f.Name + "=" + form(high)
	}
	return f.Name + " " + form(low) + "…" + form(high)
}
