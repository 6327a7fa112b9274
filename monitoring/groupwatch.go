// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
)

// GroupLimits are how far groups may lie apart. Zero: evaluation.FourFifths, a tenth.
type GroupLimits struct {
	Ratio float64 // the least of a group's selection rate to the largest group's
	TPR   float64 // the most that the rates of yes may differ by, among rows whose truth is yes
	FPR   float64 // among rows whose truth is no
}

// GroupRun is a run of blocks in which a group lay beyond a limit, and what it adds up to.
type GroupRun struct {
	Column    string    `json:"column"`
	Group     string    `json:"group"`
	Rate      string    `json:"rate"` // selection, or tpr and fpr with the side that is asked about
	From      time.Time `json:"from,omitzero"`
	Sum       float64   `json:"sum,omitempty"`      // how far beyond the limit, each block by its weight
	Variance  float64   `json:"variance,omitempty"` // of the sum
	Rows      int       `json:"rows,omitempty"`     // of the group
	Hits      int       `json:"hits,omitempty"`     // decided yes
	Reference [2]int    `json:"reference,omitzero"` // the same of the reference
}

// The rates of a GroupRun. Each may lie to either side: the largest group, which the others
// are held against, may be the one that is selected less.
const (
	selectionRate  = "selection"
	selectionAbove = "selection above"
	tprBelow       = "tpr below"
	tprAbove       = "tpr above"
	fprBelow       = "fpr below"
	fprAbove       = "fpr above"
)

const (
	maxGroupRuns = 200 // that a watch keeps; later groups are not watched
	leastGroup   = 50  // rows of a group, in all of a run, before it is told of
)

// watchesGroups reports whether the decisions of this version are compared by group.
func (s *stepper) watchesGroups() bool {
	return s.Task.Kind == dataset.Binary && len(s.Task.Groups)+len(s.Task.Audit) > 0 && !s.Baseline
}

// groups compares how often each group is decided yes with the largest group of its
// column: in all rows of the block, and in those whose truth fell due in it. Within a
// block, for what the group's rate is beyond the limit is not blurred by a season that
// moves all rates. The evidence of a run may be looked at after every block
// (stat.Mixture); a run that speaks for the group begins anew.
func (s *stepper) groups(first int, n int, start, end time.Time) {
	if !s.watchesGroups() {
		return
	}
	rows := NewGroupRows(s.Task, end)
	for i := first; i < first+n; i++ {
		s.addGroups(rows, i)
	}
	due := NewGroupRows(s.Task, end)
	for ; s.groupNext < len(s.due) && s.Rows[s.due[s.groupNext]].Due.Before(end); s.groupNext++ {
		s.addGroups(due, s.due[s.groupNext])
	}
	limits := s.Limits
	ratio, tpr, fpr := cmp.Or(limits.Ratio, evaluation.FourFifths), cmp.Or(limits.TPR, 0.1), cmp.Or(limits.FPR, 0.1)
	for i := range rows.columns {
		s.compare(rows, i, start, end, nil, beyond{selectionRate, ratio, 0, -1}, beyond{selectionAbove, 1 / ratio, 0, 1})
		yes := func(r *groupRow) bool { return r.known && r.truth == 1 }
		no := func(r *groupRow) bool { return r.known && r.truth == 0 }
		s.compare(due, i, start, end, yes, beyond{tprBelow, 1, tpr, -1}, beyond{tprAbove, 1, tpr, 1})
		s.compare(due, i, start, end, no, beyond{fprBelow, 1, fpr, -1}, beyond{fprAbove, 1, fpr, 1})
	}
}

func (s *stepper) addGroups(to *GroupRows, i int) {
	if scores := s.scores(&s.Rows[i].Record); len(scores) == 1 {
		to.Add(&s.Rows[i], scores[0])
	}
}

// beyond is what is asked of a group's rate p against the reference's q: whether
// side·(p − times·q) is above apart.
type beyond struct {
	rate         string
	times, apart float64
	side         float64
}

// cell is the rows of one group in a block.
type cell struct {
	rows, hits int
	blocks     map[uint64][2]int // rows and hits of each draw; nil where each row is one
}

func (c *cell) share() float64 { return float64(c.hits) / float64(c.rows) }

// variance is that of the share: half a row added to either side, and where rows of a draw
// are alike, not less than their draws tell.
func (c *cell) variance() float64 {
	n, p := float64(c.rows), (float64(c.hits)+0.5)/(float64(c.rows)+1)
	v := p * (1 - p) / n
	if k := float64(len(c.blocks)); k > 1 {
		sum := 0.0
		for _, b := range c.blocks {
			d := float64(b[1]) - c.share()*float64(b[0])
			sum += d * d
		}
		v = max(v, sum/(n*n)*k/(k-1))
	}
	return v
}

// cells are the groups of a column, of the rows that count.
func (g *GroupRows) cells(column int, counts func(*groupRow) bool) map[string]*cell {
	above := 0.5
	if g.task.Decide != nil {
		above = g.task.Decide.Above
	}
	names := make([]string, len(g.names[column])+1)
	for word, n := range g.names[column] {
		names[n] = word
	}
	out := map[string]*cell{}
	for i := range g.rows {
		r := &g.rows[i]
		if r.groups[column] == 0 || counts != nil && !counts(r) {
			continue
		}
		c := out[names[r.groups[column]]]
		if c == nil {
			c = &cell{}
			if g.blocked() {
				c.blocks = map[uint64][2]int{}
			}
			out[names[r.groups[column]]] = c
		}
		hit := 0
		if r.score > above {
			hit = 1
		}
		c.rows, c.hits = c.rows+1, c.hits+hit
		if c.blocks != nil {
			b := c.blocks[r.block]
			c.blocks[r.block] = [2]int{b[0] + 1, b[1] + hit}
		}
	}
	return out
}

// compare takes one block of a column in, and judges each group against the reference.
func (s *stepper) compare(g *GroupRows, column int, start, end time.Time, counts func(*groupRow) bool, asked ...beyond) {
	name := g.columns[column].Column
	cells := g.cells(column, counts)
	reference := s.reference(name, cells, counts == nil)
	r := cells[reference]
	if r == nil {
		return
	}
	groups := make([]string, 0, len(cells))
	for word := range cells {
		groups = append(groups, word)
	}
	slices.Sort(groups)
	for _, word := range groups {
		if word == reference {
			continue
		}
		for _, a := range asked {
			run := s.run(name, word, a.rate)
			if run == nil {
				continue
			}
			c := cells[word]
			weight := float64(c.rows) * float64(r.rows) / float64(c.rows+r.rows)
			apart := weight * (a.side*(c.share()-a.times*r.share()) - a.apart)
			if run.Rows == 0 {
				run.From = start
			}
			run.Sum += apart
			run.Variance += weight * weight * (c.variance() + a.times*a.times*r.variance())
			run.Rows, run.Hits = run.Rows+c.rows, run.Hits+c.hits
			run.Reference = [2]int{run.Reference[0] + r.rows, run.Reference[1] + r.hits}
			s.judge(run, a, reference, apart, end)
		}
	}
}

// reference is the group that the others of a column are held against: the largest of the
// first block that had enough rows, from then on.
func (s *stepper) reference(column string, cells map[string]*cell, whole bool) string {
	st := &s.out.State
	if at, ok := st.Against[column]; ok || !whole {
		return at
	}
	total, most := 0, ""
	for word, c := range cells {
		total += c.rows
		if best := cells[most]; best == nil || c.rows > best.rows || c.rows == best.rows && word < most {
			most = word
		}
	}
	if total < s.Policy.AtLeast {
		return ""
	}
	against := map[string]string{column: most} // the state before is not written to
	maps.Copy(against, st.Against)
	st.Against = against
	return most
}

// run is that of a rate of a group; nil where there are too many already.
func (s *stepper) run(column, group, rate string) *GroupRun {
	all := &s.out.State.Groups
	for i := range *all {
		if r := &(*all)[i]; r.Column == column && r.Group == group && r.Rate == rate {
			return r
		}
	}
	if len(*all) >= maxGroupRuns {
		return nil
	}
	*all = append(*all, GroupRun{Column: column, Group: group, Rate: rate})
	return &(*all)[len(*all)-1]
}

// judge opens a finding where the evidence of the run is enough, and begins a run that
// speaks for the group anew.
func (s *stepper) judge(run *GroupRun, a beyond, reference string, apart float64, end time.Time) {
	limit := s.alarmAt(len(s.out.State.Groups), s.Policy.Every.D())
	m := stat.MixtureAt(float64(s.Policy.AtLeast)/4, 1/limit, true)
	evidence := m.Evidence(run.Sum, run.Variance)
	p, q := share(run.Hits, run.Rows), share(run.Reference[1], run.Reference[0])
	subject := run.Column + "=" + run.Group + ": " + run.Rate
	s.out.Readings = append(s.out.Readings, Reading{
		Kind: Groups, Subject: subject, Start: run.From, End: end, Rows: run.Rows, Value: p, Reference: q,
		P: min(1, math.Exp(-evidence)), Evidence: math.Exp(min(700, evidence)), Alarm: limit,
	})
	if apart <= 0 {
		s.quiet(Groups, subject, end, 3)
	}
	switch {
	case evidence >= math.Log(limit) && run.Sum > 0 && run.Rows >= leastGroup:
		s.open(Finding{Kind: Groups, Subject: subject, Severity: "warn", Opened: end, Text: a.text(run, reference, p, q)},
			map[string]any{
				"column": run.Column, "group": run.Group, "reference": reference, "rate": a.rate, "of_group": p, "of_reference": q,
				"evidence": evidence, "limit": math.Log(limit), "start": run.From, "end": end,
			})
		*run = GroupRun{Column: run.Column, Group: run.Group, Rate: run.Rate}
	case run.Sum <= 0:
		*run = GroupRun{Column: run.Column, Group: run.Group, Rate: run.Rate}
	}
}

// text is one sentence of what was found. It gives shares, and no counts of rows.
func (a beyond) text(run *GroupRun, reference string, p, q float64) string {
	if a.rate == selectionRate || a.rate == selectionAbove {
		most := "at least"
		if a.side > 0 {
			most = "at most"
		}
		return fmt.Sprintf("%s=%s is decided yes %s times as often as %s (%s against %s), since %s; %s %s is asked for",
			run.Column, run.Group, figure(p/max(q, 1e-9)), reference, percent(p), percent(q), moment(run.From), most, figure(a.times))
	}
	truth := "yes"
	if a.rate == fprBelow || a.rate == fprAbove {
		truth = "no"
	}
	return fmt.Sprintf("of rows whose truth is %s, %s of %s=%s are decided yes and %s of %s, since %s; they may lie %s apart",
		truth, percent(p), run.Column, run.Group, percent(q), reference, moment(run.From), percent(a.apart))
}

// groupAdvice is what a finding of groups means.
func groupAdvice(f Finding) Advice {
	return Advice{
		Diagnosis: fmt.Sprintf("The model does not treat all groups alike: %s is surely beyond the limit. Training again would learn it again.", f.Subject),
		Causes: []string{
			"the groups differ in the columns that the model goes by", "rows of one group were few or wrongly labelled in training",
			"a column upstream fails for one group", "the truths themselves are not told alike for all groups",
		},
		Command: "flyball groups " + f.Model,
	}
}
