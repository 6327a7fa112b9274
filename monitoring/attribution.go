// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"flyball/fault"
	"flyball/serving/prediction"
)

const (
	addedColumns = 5   // of a row, as many as are kept with a prediction
	maxAdded     = 200 // columns of a profile
	leastReasons = 100 // rows
)

// Added is what one column added to the score of one row.
type Added struct {
	Column string
	By     float64
}

// Attribution is by which columns scores were made: each one's share of all that was
// added, up or down, by the five greatest of each row.
type Attribution struct {
	Rows    int      `json:"rows"`
	Columns []Column `json:"columns"` // the greatest first
}

// Column is one column's share.
type Column struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

// attributed adds rows up; nil where they are too few, or nothing was added.
func attributed(rows [][]Added) *Attribution {
	if len(rows) < leastReasons {
		return nil
	}
	by, all := map[string]float64{}, 0.0
	for _, row := range rows {
		row = slices.Clone(row)
		slices.SortStableFunc(row, func(a, b Added) int { return cmp.Compare(math.Abs(b.By), math.Abs(a.By)) })
		for _, a := range row[:min(len(row), addedColumns)] {
			if v := math.Abs(a.By); v < 1e100 { // not of NaN
				by[a.Column] += v
				all += v
			}
		}
	}
	if !(all > 0) {
		return nil
	}
	out := &Attribution{Rows: len(rows)}
	for name, v := range by {
		out.Columns = append(out.Columns, Column{name, v / all})
	}
	slices.SortFunc(out.Columns, func(a, b Column) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name)) })
	out.Columns = out.Columns[:min(len(out.Columns), maxAdded)]
	return out
}

// of is a column's share; 0 where it has none.
func (a *Attribution) of(name string) float64 {
	if a != nil {
		for _, c := range a.Columns {
			if c.Name == name {
				return c.Share
			}
		}
	}
	return 0
}

func (a *Attribution) check() error {
	if a == nil {
		return nil
	}
	ok, all := a.Rows > 0 && len(a.Columns) <= maxAdded, 0.0
	for _, c := range a.Columns {
		ok = ok && c.Share >= 0 && c.Share <= 1
		all += c.Share
	}
	if !ok || all > 1+1e-6 {
		return fault.New(fault.Invalid, "the profile's shares of columns do not hold together")
	}
	return nil
}

// Attributed is by which columns the newest scores were made, against the held-out rows.
type Attributed struct {
	Rows    int       `json:"rows" doc:"whose reasons were kept"`
	Order   float64   `json:"order" doc:"nDCG of the columns' order now by their shares then: 1 is the same order"`
	Moved   float64   `json:"moved" doc:"half of the sum of the shares' changes: 0 none, 1 all"`
	Columns []Weights `json:"columns" doc:"those whose share moved most first"`
}

// Weights is a column's share of what was added to scores.
type Weights struct {
	Name string  `json:"name"`
	Now  float64 `json:"now"`
	Was  float64 `json:"was"`
}

// attributionNow compares the reasons that were kept with the newest rows; nil, and why,
// where it cannot be told.
func (s *stepper) attributionNow(newest []prediction.Joined) (*Attributed, string) {
	was := s.Profile.Attribution
	if was == nil {
		return nil, "by which columns scores are made: the profile does not say it of the held-out rows"
	}
	var rows [][]Added
	scored := 0
	for i := range newest {
		if newest[i].Version != s.Version || newest[i].Arm == prediction.Baseline {
			continue
		}
		scored++
		if len(newest[i].Reasons) == 0 {
			continue
		}
		var r prediction.Reasons
		if json.Unmarshal(newest[i].Reasons, &r) != nil {
			continue
		}
		row := make([]Added, len(r.Top))
		for k, t := range r.Top {
			row[k] = Added{t.Feature, t.Contribution}
		}
		rows = append(rows, row)
	}
	if len(rows)*2 < scored { // those of flagged rows alone are not those of all
		return nil, "by which columns scores are made: reasons were kept of " + percent(share(len(rows), scored)) + " of the rows; explain.keep: all keeps them"
	}
	now := attributed(rows)
	if now == nil {
		return nil, "by which columns scores are made: reasons of fewer than 100 rows"
	}
	return compared(now, was), ""
}

// compared is the change from one attribution to the other.
func compared(now, was *Attribution) *Attributed {
	out := &Attributed{Rows: now.Rows}
	for _, c := range now.Columns {
		out.Columns = append(out.Columns, Weights{c.Name, c.Share, was.of(c.Name)})
	}
	for _, c := range was.Columns {
		if !slices.ContainsFunc(now.Columns, func(n Column) bool { return n.Name == c.Name }) {
			out.Columns = append(out.Columns, Weights{c.Name, 0, c.Share})
		}
	}
	got, ideal := 0.0, 0.0
	for k, c := range out.Columns { // in the order of now
		got += c.Was / math.Log2(float64(k)+2)
	}
	for k, c := range was.Columns {
		ideal += c.Share / math.Log2(float64(k)+2)
	}
	if ideal > 0 {
		out.Order = got / ideal
	}
	for _, c := range out.Columns {
		out.Moved += math.Abs(c.Now-c.Was) / 2
	}
	slices.SortStableFunc(out.Columns, func(a, b Weights) int { return cmp.Compare(math.Abs(b.Now-b.Was), math.Abs(a.Now-a.Was)) })
	return out
}
