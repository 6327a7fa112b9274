// SPDX-License-Identifier: Apache-2.0

// Package counterfactual finds the smallest changes of a row that flip the decision of a
// model: what would have had to be different. It changes only what the rules of the
// owner let change, and only to values that other rows hold or that lie between those
// and the row's own, so that what it proposes can be. It is no advice, and says nothing
// of causes: a column that is changed moves the model, perhaps not the world. It is for
// models that decide; how the score follows a column is for package dependence.
package counterfactual

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/model"
)

// Model is what decides. *model.Bundle is one.
type Model interface {
	// Predict scores rows that have the columns of Inputs.
	Predict(ctx context.Context, rows *frame.Frame) (model.Scores, error)
	Inputs() []frame.Field
	// Decision is the word for a row's scores; empty where the model has none.
	Decision(scores []float64) string
}

// Rules say what may change: the section explain.flip of a model file. Zero: everything
// but times.
type Rules struct {
	Fixed  []string         `json:"fixed,omitempty"`  // columns that stay as they are
	Rises  []string         `json:"rises,omitempty"`  // numbers that can only grow, such as an age
	Falls  []string         `json:"falls,omitempty"`  // numbers that can only become less
	Within map[string]Range `json:"within,omitempty"` // where a number stays
}

// Range is a number's bounds; nil: none.
type Range struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Change is one column of a row, as it is and as it would be. null is missing.
type Change struct {
	Column string          `json:"column"`
	From   json.RawMessage `json:"from"`
	To     json.RawMessage `json:"to"`
}

// Flip is changes that together flip the decision; without any one of them it stays.
type Flip struct {
	Changes  []Change  `json:"changes"`
	Decision string    `json:"decision"`
	Scores   []float64 `json:"scores"`
	Distance float64   `json:"distance"` // numbers in their mean absolute deviations among the other rows; another text or a missing value counts 1
}

// Found is what was found.
type Found struct {
	Flips       []Flip `json:"flips"`       // the fewest columns first, then the nearest; at most three, of different columns
	Evaluations int    `json:"evaluations"` // rows that were scored
}

const (
	most   = 3   // flips
	starts = 20  // other rows that a search begins from
	others = 256 // rows that are looked at
)

// Find looks for the smallest changes of row, one row with the model's inputs, by way of
// the other rows, which have them too: of those that are decided otherwise the nearest
// are gone towards, and what is not needed is given back (as NICE does: Brughmans,
// Leyman, Martens 2024, "NICE: an algorithm for nearest instance counterfactual
// explanations"); and each column is tried alone. The result depends on its arguments
// alone. No flips is no error: none was found within the rules. A model without
// decisions is a Refused fault.
func Find(ctx context.Context, m Model, rules Rules, row, other *frame.Frame) (Found, error) {
	s, err := newSearch(ctx, m, rules, row, other)
	if err != nil {
		return Found{}, err
	}
	var found []candidate
	for _, step := range []func() ([]candidate, error){s.alone, s.towards} {
		more, err := step()
		if err != nil {
			return Found{}, err
		}
		found = append(found, more...)
	}
	for i := range found {
		if err := s.shorten(&found[i]); err != nil {
			return Found{}, err
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(len(a.to), len(b.to)), cmp.Compare(s.distance(a.to), s.distance(b.to)))
	})
	out := Found{Flips: []Flip{}}
	seen := map[string]bool{}
	for _, c := range found {
		if key := s.names(c.to); !seen[key] && len(out.Flips) < most {
			seen[key] = true
			out.Flips = append(out.Flips, s.flip(c))
		}
	}
	out.Evaluations = s.evaluations
	return out, nil
}

// value is what stands in a column: a number, or a text.
type value struct {
	num     float64
	text    string
	missing bool
}

// candidate is a row that is decided otherwise: what stands in the columns that change.
type candidate struct {
	to     map[int]value
	scores []float64
}

// search is one Find under way.
type search struct {
	ctx   context.Context
	model Model
	rules Rules

	columns     []frame.Column // of the row
	may         []bool         // the column may change
	pool        []frame.Column // of the other rows
	scale       []float64      // of a number: its mean absolute deviation
	whole       []bool         // of a number: it holds whole numbers alone
	was         string
	evaluations int
}

func newSearch(ctx context.Context, m Model, rules Rules, row, other *frame.Frame) (*search, error) {
	names := make([]string, 0, len(m.Inputs()))
	for _, in := range m.Inputs() {
		names = append(names, in.Name)
	}
	one, err := row.Select(names...)
	if err != nil {
		return nil, err
	}
	rest, err := other.Select(names...)
	if err != nil {
		return nil, err
	}
	if one.Rows() != 1 {
		return nil, fault.New(fault.Invalid, "%d rows are no row", one.Rows())
	}
	rest = rest.Slice(0, min(others, rest.Rows()))
	s := &search{ctx: ctx, model: m, rules: rules, columns: one.Columns(), pool: rest.Columns()}
	got, err := m.Predict(ctx, one)
	if err != nil {
		return nil, err
	}
	s.evaluations++
	if s.was = m.Decision(got.Row(0)); s.was == "" {
		return nil, fault.New(fault.Refused, "the model decides nothing that could flip").Do("say predict.decide in the model file")
	}
	for k := range s.columns {
		c := &s.columns[k]
		s.may = append(s.may, c.Kind != frame.Time && !slices.Contains(rules.Fixed, c.Name))
		scale, whole := spread(&s.pool[k])
		s.scale, s.whole = append(s.scale, scale), append(s.whole, whole)
	}
	return s, nil
}

// spread is the mean absolute deviation of a number, and whether all are whole.
func spread(c *frame.Column) (scale float64, whole bool) {
	if c.Kind != frame.Number {
		return 1, false
	}
	sum, n := 0.0, 0.0
	whole = true
	for _, v := range c.Num {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			sum, n = sum+v, n+1
			whole = whole && v == math.Trunc(v)
		}
	}
	mean := sum / max(n, 1)
	for _, v := range c.Num {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			scale += math.Abs(v - mean)
		}
	}
	if scale /= max(n, 1); scale == 0 {
		scale = 1
	}
	return scale, whole && n > 0
}

// at is what stands in row i of a column.
func at(c *frame.Column, i int) value {
	if c.Missing(i) {
		return value{missing: true}
	}
	if c.Kind == frame.Number {
		return value{num: c.Num[i]}
	}
	return value{text: c.Text[i]}
}

// allowed reports whether column k may become v.
func (s *search) allowed(k int, v value) bool {
	c := &s.columns[k]
	now := at(c, 0)
	if !s.may[k] || v == now || v.missing { // that something should be unknown is no proposal
		return false
	}
	if c.Kind != frame.Number {
		return true
	}
	r := s.rules.Within[c.Name]
	switch {
	case math.IsInf(v.num, 0):
		return false
	case r.Min != nil && v.num < *r.Min, r.Max != nil && v.num > *r.Max:
		return false
	case !now.missing && slices.Contains(s.rules.Rises, c.Name) && v.num < now.num:
		return false
	case !now.missing && slices.Contains(s.rules.Falls, c.Name) && v.num > now.num:
		return false
	}
	return true
}

// apart is how far a value is from what column k holds.
func (s *search) apart(k int, v value) float64 {
	now := at(&s.columns[k], 0)
	if s.columns[k].Kind != frame.Number || v.missing || now.missing {
		return 1
	}
	return math.Abs(v.num-now.num) / s.scale[k]
}

func (s *search) distance(to map[int]value) float64 {
	sum := 0.0
	for _, k := range slices.Sorted(maps.Keys(to)) {
		sum += s.apart(k, to[k])
	}
	return sum
}

func (s *search) names(to map[int]value) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(to)) {
		out = append(out, s.columns[k].Name)
	}
	return strings.Join(out, "\x00")
}

func (s *search) flip(c candidate) Flip {
	out := Flip{Scores: c.scores, Decision: s.model.Decision(c.scores), Distance: s.distance(c.to)}
	for _, k := range slices.Sorted(maps.Keys(c.to)) {
		out.Changes = append(out.Changes, Change{Column: s.columns[k].Name, From: written(s.columns[k].Kind, at(&s.columns[k], 0)), To: written(s.columns[k].Kind, c.to[k])})
	}
	slices.SortStableFunc(out.Changes, func(a, b Change) int { return cmp.Compare(a.Column, b.Column) })
	return out
}

// written is a value as a request has it.
func written(kind frame.Kind, v value) json.RawMessage {
	var b []byte
	switch {
	case v.missing || math.IsInf(v.num, 0):
		return json.RawMessage("null")
	case kind == frame.Number:
		b, _ = json.Marshal(v.num)
	default:
		b, _ = json.Marshal(v.text)
	}
	return b
}
