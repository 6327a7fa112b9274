// SPDX-License-Identifier: Apache-2.0

package evaluation

import (
	"cmp"
	"math"
	"slices"

	"flyball/data/dataset"
	"flyball/fault"
	"flyball/stat"
)

// LeastShown is the rows of a group below which nothing is told of it but that it is
// there: fewer could be people.
const LeastShown = 10

// FourFifths is the ratio of selection rates below which the guideline of the US
// authorities speaks of adverse impact.
const FourFifths = 0.8

// What a group's ratio tells.
const (
	GroupReference = "reference"       // the largest group, which the others are held against
	GroupOK        = "ok"              // surely at least the ratio asked for
	GroupLower     = "lower"           // surely below it
	GroupOpen      = "cannot tell yet" // neither: Needs says how many more rows would tell
)

// GroupTable is what a binary model does for each group of a column, in the rows of one role.
type GroupTable struct {
	Column    string     `json:"column"`
	Role      string     `json:"role"`
	Rows      int        `json:"rows"` // with a group
	AtLeast   float64    `json:"at_least"`
	Reference string     `json:"reference"`            // the largest group: the best one would make many groups look unfair by luck
	Groups    []GroupRow `json:"groups"`               // the largest first
	Suppress  int        `json:"suppressed,omitempty"` // groups of fewer than LeastShown rows
}

// GroupRow is one group's row of a GroupTable. A rate of fewer than LeastShown rows is absent.
type GroupRow struct {
	Value       string   `json:"value"`
	Rows        int      `json:"rows"`
	Share       float64  `json:"share"`               // of the rows with a group
	Known       int      `json:"known"`               // rows whose truth is known
	Base        *float64 `json:"base,omitempty"`      // share whose truth is yes
	Selection   Range    `json:"selection"`           // share decided yes, 95 %
	Ratio       Range    `json:"ratio"`               // of the selection rate to the reference's, 95 %
	TPR         *float64 `json:"tpr,omitempty"`       // share decided yes of those whose truth is yes
	FPR         *float64 `json:"fpr,omitempty"`       // of those whose truth is no
	Precision   *float64 `json:"precision,omitempty"` // share whose truth is yes of those decided yes
	AUC         *float64 `json:"auc,omitempty"`
	Calibration *float64 `json:"calibration,omitempty"` // in the large: mean score less share whose truth is yes
	MeanScore   float64  `json:"mean_score"`
	Judged      string   `json:"judged"`
	Needs       int      `json:"needs,omitempty"` // about so many more rows of the group; 0: cannot say
}

// Range is a value and its 95 % interval.
type Range struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Groups is the table of a column's groups. atLeast is the ratio of selection rates that is asked
// for; 0 means FourFifths. A group is lower where its ratio is surely so, by a one-sided
// test at 5 % that Holm corrects for the number of groups; of groups that are alike that
// calls one in fifty lower at most, where bare ratios of 100 rows call half of them so. A
// Truth that is not a number is not known: what needs truths is then told of the others.
// The error is an Invalid fault: not a binary model, no such column, no group of
// LeastShown rows.
func Groups(s Sample, column, role string, atLeast float64) (GroupTable, error) {
	t := GroupTable{Column: column, Role: role, AtLeast: cmp.Or(atLeast, FourFifths), Groups: []GroupRow{}}
	n := len(s.Truth)
	at := slices.IndexFunc(s.Slices, func(c SliceColumn) bool { return c.Name == column })
	switch {
	case s.Kind != dataset.Binary:
		return t, fault.New(fault.Invalid, "groups are told apart by their decisions, and a %s model makes none", s.Kind)
	case at < 0 || len(s.Slices[at].Values) != n || len(s.Scores[role]) != n:
		return t, fault.New(fault.Invalid, "the rows have no groups by %s", column)
	}
	rows := map[string][]int{}
	for i, v := range s.Slices[at].Values {
		if v != "" {
			rows[v] = append(rows[v], i)
			t.Rows++
		}
	}
	var names []string
	for v := range rows {
		if len(rows[v]) < LeastShown {
			t.Suppress++
			continue
		}
		names = append(names, v)
	}
	if len(names) == 0 {
		return t, fault.New(fault.Invalid, "no group of %s has %d rows", column, LeastShown)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(rows[b]), len(rows[a])), cmp.Compare(a, b))
	})
	t.Reference = names[0]
	var reference rate
	var tests []float64
	for k, v := range names {
		g, r := s.group(v, rows[v], role)
		g.Share = float64(len(rows[v])) / float64(t.Rows)
		if k == 0 {
			reference, g.Judged, g.Ratio = r, GroupReference, Range{1, 1, 1}
		} else {
			tests = append(tests, g.against(r, reference, t.AtLeast))
		}
		t.Groups = append(t.Groups, g)
	}
	for k, p := range stat.Holm(tests) {
		if g := &t.Groups[k+1]; p < 0.05 {
			g.Judged, g.Needs = GroupLower, 0
		}
	}
	return t, nil
}

// rate is a group's selection rate, half a row added to either side, and the standard
// error of its logarithm.
type rate struct{ value, se float64 }

// group measures one group but for its ratio.
func (s Sample) group(name string, rows []int, role string) (GroupRow, rate) {
	above := s.above(term{at: math.NaN()})
	part := s.Take(rows)
	g := GroupRow{Value: name, Rows: len(rows)}
	var yes, selected, both, known float64
	var told []int // those of the rows whose truth is known
	knownSelected, scored, sure := 0.0, 0.0, make([]float64, len(rows))
	for i, y := range part.Truth {
		score := part.Scores[role][i]
		g.MeanScore += score / float64(len(rows))
		if score > above {
			sure[i] = 1
			selected++
		}
		if !finite(y) {
			continue
		}
		known++
		told = append(told, i)
		yes += y
		scored += score
		knownSelected += sure[i]
		both += y * sure[i]
	}
	share := func(a, of float64) *float64 {
		if of < LeastShown {
			return nil
		}
		x := a / of
		return &x
	}
	g.Base, g.TPR, g.FPR, g.Precision = share(yes, known), share(both, yes), share(knownSelected-both, known-yes), share(both, knownSelected)
	g.Calibration, g.Known = share(scored-yes, known), len(told)
	if min(yes, known-yes) >= LeastShown {
		if auc, err := Value("auc", part.Take(told), role); err == nil {
			g.AUC = &auc
		}
	}
	n := float64(len(rows))
	p := (selected + 0.5) / (n + 1)
	r := rate{p, math.Sqrt((1 - p) / (n * p))}
	g.Selection.Value = selected / n
	g.Selection.Low, g.Selection.High = stat.Wilson(int(selected), len(rows), z95)
	if len(part.Block) == len(rows) { // rows of a block are alike: they count for fewer
		m := stat.ClusterMean(sure, part.Block)
		if low, high := m.Interval(0.95); finite(low) && finite(high) && m.SE/p > r.se {
			r.se, g.Selection.Low, g.Selection.High = m.SE/p, max(0, low), min(1, high)
		}
	}
	return g, r
}

// against fills in the ratio to the reference, and gives the p of as low a one if it were
// what is asked for.
func (g *GroupRow) against(r, reference rate, atLeast float64) float64 {
	ratio := math.Log(r.value) - math.Log(reference.value)
	se := math.Hypot(r.se, reference.se)
	g.Ratio = Range{math.Exp(ratio), math.Exp(ratio - z95*se), math.Exp(ratio + z95*se)}
	const z90 = 1.6448536269514722
	apart := ratio - math.Log(atLeast)
	if apart > z90*se {
		g.Judged = GroupOK
		return 1
	}
	g.Judged = GroupOpen
	if more := math.Pow(z90*se/apart, 2) - 1; more > 0 && more < 1e4 {
		g.Needs = int(math.Ceil(more * float64(g.Rows)))
	}
	return math.Erfc(-apart/se/math.Sqrt2) / 2
}
