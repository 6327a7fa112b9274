// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/serving/prediction"
)

// GroupsSeen is what a version does for each group of rows, in a stretch of event time.
// It tells of groups, never of a row: see GroupRows.
type GroupsSeen struct {
	Model   string                  `json:"model"`
	Version int                     `json:"version"`
	From    time.Time               `json:"from"`
	To      time.Time               `json:"to"`
	Rows    int                     `json:"rows" doc:"that the version scored"`
	Tables  []evaluation.GroupTable `json:"tables" doc:"one for each column of predict.groups and of predict.audit"`
	Unknown []string                `json:"unknown,omitempty" doc:"what cannot be told, and why"`
}

// lot is how many rows of a group come into a table at once. Were it one, who looks before
// and after a prediction would see which group its row is of.
const lot = evaluation.LeastShown

// GroupRows gathers the rows that a table of groups is made of. It keeps of each what it
// is about, and not the row. The zero value is not useful; it is for one goroutine.
type GroupRows struct {
	task    dataset.Task
	columns []dataset.Slice // those of the rows first, then those that came apart
	apart   int             // the first of the latter
	names   []map[string]int32
	blocks  map[string]uint64
	rows    []groupRow
	now     time.Time
}

type groupRow struct {
	at, told int64 // when it was answered, and when its truth was told; in microseconds
	score    float64
	truth    float64
	known    bool
	block    uint64
	groups   []int32 // by column: the number of its group, 0 for none
}

// NewGroupRows gathers for the groups that the task names. Truths that are not due at now
// do not count: those that come early favour their outcome.
func NewGroupRows(task dataset.Task, now time.Time) *GroupRows {
	g := &GroupRows{task: task, columns: slices.Concat(task.Groups, task.Audit), apart: len(task.Groups), blocks: map[string]uint64{}, now: now}
	for range g.columns {
		g.names = append(g.names, map[string]int32{})
	}
	return g
}

// Add takes a row that has this score in. Nothing of j is kept.
func (g *GroupRows) Add(j *prediction.Joined, score float64) {
	if !finite(score) {
		return
	}
	r := groupRow{at: j.At.UnixMicro(), score: score, groups: make([]int32, len(g.columns))}
	values := g.read(j)
	for i, c := range g.columns {
		group := j.Audit[c.Column]
		if i < g.apart {
			word, _ := text(values[c.Column])
			group = c.Of(word)
		}
		r.groups[i] = g.number(i, group)
	}
	r.block = g.blockOf(j, values)
	if !j.Due.After(g.now) {
		judge := stepper{Input: Input{Task: g.task}}
		if r.truth, r.known = judge.truthOf(j); r.known {
			r.told = j.Due.UnixMicro()
			if j.Label != nil {
				r.told = max(r.told, j.Label.Received.UnixMicro())
			}
		}
	}
	g.rows = append(g.rows, r)
}

// Len is how many rows were taken in.
func (g *GroupRows) Len() int { return len(g.rows) }

// read is the row's columns where groups or blocks need them.
func (g *GroupRows) read(j *prediction.Joined) (values map[string]any) {
	if g.apart > 0 || len(g.task.Block.Columns) > 0 {
		_ = json.Unmarshal(j.Row, &values) // a row that is no object has no groups
	}
	return values
}

// number is that of a group of a column.
func (g *GroupRows) number(column int, group string) int32 {
	if group == "" {
		return 0
	}
	n, ok := g.names[column][group]
	if !ok {
		n = int32(len(g.names[column]) + 1)
		g.names[column][group] = n
	}
	return n
}

// blocked reports whether several rows may be one draw.
func (g *GroupRows) blocked() bool { return g.task.Block.Each > 0 || len(g.task.Block.Columns) > 0 }

// blockOf is the draw that the row belongs to; rows that are one each have none.
func (g *GroupRows) blockOf(j *prediction.Joined, values map[string]any) uint64 {
	if each := g.task.Block.Each.D(); each > 0 {
		return uint64(floorDiv(j.Time.UnixMicro(), each.Microseconds()))
	}
	if len(g.task.Block.Columns) == 0 {
		return 0
	}
	var key []byte
	for _, c := range g.task.Block.Columns {
		word, _ := text(values[c])
		key = strconv.AppendQuote(key, word)
	}
	n, ok := g.blocks[string(key)]
	if !ok {
		n = uint64(len(g.blocks))
		g.blocks[string(key)] = n
	}
	return n
}

// See makes the tables: model, version and the stretch are the caller's to set. atLeast is
// the ratio of selection rates asked for; 0 means evaluation.FourFifths.
//
// A group's rows come into a table ten at a time in the order of their answers, and their
// truths in the order in which they came, so that two tables never differ by a single row.
// Groups below ten are not in it, nor in its sums; where one alone is not, and three or
// more are, the smallest of these is left out too, for it could be found by subtraction.
func (g *GroupRows) See(atLeast float64) GroupsSeen {
	out := GroupsSeen{Rows: len(g.rows), Tables: []evaluation.GroupTable{}}
	if g.task.Kind != dataset.Binary {
		out.Unknown = append(out.Unknown, "groups are told apart by their decisions, and a "+string(g.task.Kind)+" model makes none")
		return out
	}
	if len(g.columns) == 0 {
		out.Unknown = append(out.Unknown, "the model file names no groups; see predict.groups and predict.audit")
	}
	slices.SortStableFunc(g.rows, func(a, b groupRow) int { return int(min(1, max(-1, a.at-b.at))) })
	for i, c := range g.columns {
		s, hidden := g.sample(i)
		if len(s.Truth) == 0 {
			out.Unknown = append(out.Unknown, c.Column+": "+g.why(i))
			continue
		}
		t, err := evaluation.Groups(s, c.Column, prediction.Live, atLeast)
		if err != nil {
			out.Unknown = append(out.Unknown, c.Column+": "+err.Error())
			continue
		}
		t.Suppress = hidden
		out.Tables = append(out.Tables, t)
	}
	return out
}

// why says why nothing is told of a column.
func (g *GroupRows) why(column int) string {
	switch {
	case len(g.names[column]) > 0:
		return "no group has " + plural(lot, "row") + " yet"
	case column < g.apart:
		return "no row holds it"
	}
	return "no row came with it in its audit"
}

// sample is the rows that are told of by a column, and how many groups are not.
func (g *GroupRows) sample(column int) (evaluation.Sample, int) {
	rows := map[int32][]int{}
	for i := range g.rows {
		if n := g.rows[i].groups[column]; n > 0 {
			rows[n] = append(rows[n], i)
		}
	}
	name := make([]string, len(g.names[column])+1)
	for word, n := range g.names[column] {
		name[n] = word
	}
	var shown []int32
	for n := range rows {
		if rows[n] = rows[n][:len(rows[n])-len(rows[n])%lot]; len(rows[n]) > 0 {
			shown = append(shown, n)
		}
	}
	slices.SortFunc(shown, func(a, b int32) int {
		if len(rows[a]) != len(rows[b]) {
			return len(rows[b]) - len(rows[a])
		}
		return strings.Compare(name[a], name[b])
	})
	hidden := len(rows) - len(shown)
	if hidden == 1 && len(shown) > 2 {
		shown, hidden = shown[:len(shown)-1], hidden+1
	}
	s := evaluation.Sample{
		Kind: g.task.Kind, Decide: g.task.Decide, Run: g.task.Block.Together(), Scores: map[string][]float64{},
		Slices: []evaluation.SliceColumn{{Name: g.columns[column].Column}},
	}
	for _, n := range shown {
		g.fill(&s, rows[n], name[n])
	}
	return s, hidden
}

// fill adds a group's rows to the sample, with the truths that are told of.
func (g *GroupRows) fill(s *evaluation.Sample, rows []int, name string) {
	var known []int
	for _, i := range rows {
		if g.rows[i].known {
			known = append(known, i)
		}
	}
	slices.SortStableFunc(known, func(a, b int) int { return int(min(1, max(-1, g.rows[a].told-g.rows[b].told))) })
	told := map[int]bool{}
	for _, i := range known[:len(known)-len(known)%lot] {
		told[i] = true
	}
	blocks := g.blocked()
	for _, i := range rows {
		r := &g.rows[i]
		truth := r.truth
		if !told[i] {
			truth = math.NaN()
		}
		s.Truth = append(s.Truth, truth)
		s.Scores[prediction.Live] = append(s.Scores[prediction.Live], r.score)
		s.Slices[0].Values = append(s.Slices[0].Values, name)
		if blocks {
			s.Block = append(s.Block, r.block)
		}
	}
}
