// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/fault"
)

// Due is when each row's truth is due, in microseconds: by the due_at column, or
// Within after the row's time, or at that time. It does not depend on what the truth
// is or when it arrives. Where rows have no time at all, all are due at once
// (math.MinInt64). A row without its due time is an Invalid fault.
func (t Task) Due(f *frame.Frame) ([]int64, error) {
	column := t.Truth.DueAt
	if column == "" {
		column = t.Time
	}
	if column == "" {
		out := make([]int64, f.Rows())
		for i := range out {
			out[i] = math.MinInt64
		}
		return out, nil
	}
	at, err := Times(f, column)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(at)
	for i := range out {
		if out[i] == frame.NoTime {
			return nil, fault.New(fault.Invalid, "row %d, column %q: the row has no time, so nobody knows when its truth is due", i+1, column)
		}
		if t.Truth.DueAt == "" {
			out[i] += t.Truth.Within.D().Microseconds()
		}
	}
	return out, nil
}

// Labels are the rows' labels as known at now: a number, for Multiclass the index
// into the returned classes (sorted; those known at now, so that a replay of the
// past does not know of later ones); NaN where not known. A label whose known_at
// lies after now is not known yet. A mature row's missing label is 0 where
// Truth.Missing is negative. A Binary label is 0 or 1, or the text true or false.
func (t Task) Labels(f *frame.Frame, now time.Time) ([]float64, []string, error) {
	c := f.Column(t.Column)
	if c == nil {
		return nil, nil, fault.New(fault.Invalid, "there is no column %q to predict", t.Column)
	}
	later, err := t.later(f, now)
	if err != nil {
		return nil, nil, err
	}
	if t.Kind == Multiclass {
		out, classes := indices(c, later)
		return out, classes, nil
	}
	var out []float64
	switch {
	case c.Kind == frame.Number:
		out = slices.Clone(c.Num)
	case c.Kind == frame.Text && t.Kind == Binary:
		if out, err = truths(c); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fault.New(fault.Invalid, "column %q is to be predicted as %s and holds %s", t.Column, t.Kind, c.Kind)
	}
	for i, y := range out {
		if t.Kind == Binary && y != 0 && y != 1 && !math.IsNaN(y) || math.IsInf(y, 0) {
			return nil, nil, fault.New(fault.Invalid, "row %d, column %q: %v is not a label of a %s model", i+1, t.Column, y, t.Kind)
		}
		if later[i] {
			out[i] = math.NaN()
		}
	}
	return out, nil, t.noes(f, out, now)
}

// later says of each row whether its label became known only after now.
func (t Task) later(f *frame.Frame, now time.Time) ([]bool, error) {
	out := make([]bool, f.Rows())
	if t.Truth.KnownAt == "" {
		return out, nil
	}
	known, err := Times(f, t.Truth.KnownAt)
	if err != nil {
		return nil, err
	}
	for i, at := range known {
		out[i] = at != frame.NoTime && at > now.UnixMicro()
	}
	return out, nil
}

// noes fills in the labels that are missing because nothing happened.
func (t Task) noes(f *frame.Frame, labels []float64, now time.Time) error {
	if t.Truth.Missing != "negative" {
		return nil
	}
	due, err := t.Due(f)
	if err != nil {
		return err
	}
	for i := range labels {
		if math.IsNaN(labels[i]) && due[i] <= now.UnixMicro() {
			labels[i] = 0
		}
	}
	return nil
}

// truths are the labels of a column of true and false.
func truths(c *frame.Column) ([]float64, error) {
	out := make([]float64, c.Len())
	for i, s := range c.Text {
		switch {
		case c.Missing(i):
			out[i] = math.NaN()
		case s == "1" || strings.EqualFold(s, "true"):
			out[i] = 1
		case s == "0" || strings.EqualFold(s, "false"):
			out[i] = 0
		default:
			return nil, fault.New(fault.Invalid, "row %d, column %q: %q is not a label of a binary model", i+1, c.Name, s).Do("write 0 and 1, or true and false")
		}
	}
	return out, nil
}

// indices are the labels as places in the sorted classes.
func indices(c *frame.Column, later []bool) ([]float64, []string) {
	at := map[string]int{}
	for i := range c.Len() {
		if s := c.Format(i); s != "" && !later[i] {
			at[s] = 0
		}
	}
	classes := slices.Sorted(maps.Keys(at))
	for i, s := range classes {
		at[s] = i
	}
	out := make([]float64, c.Len())
	for i := range out {
		out[i] = math.NaN()
		if s := c.Format(i); s != "" && !later[i] {
			out[i] = float64(at[s])
		}
	}
	return out, classes
}

// Split is which rows train and which test. All are indices into the frame, ordered
// by the moment their truth was due, then by place.
type Split struct {
	Train  []int // labelled, due before TestFrom
	Test   []int // labelled, due from TestFrom to TestTo
	Mature []int // labelled and due by now: the rows of a refit

	MatureUnlabelled int       // due by now, and no label
	Immature         int       // not due yet, whatever is known of them
	TestFrom, TestTo time.Time // first and last due moment of the test rows
	SeenUntil        time.Time // last due moment of Mature: what a refit has seen
	Short            int       // test rows that are missing from the at_least asked for
}

// Split takes the rows that are mature at now apart by the moment their truth was
// due, never by when it arrived. The test rows became due in the newest window, and
// further back until there are enough of them, but never at or before unseenSince,
// up to which the live version has seen (zero: no such bound); train are those due
// before. Rows that became due at the same moment are not torn apart.
func (t Task) Split(f *frame.Frame, train TrainWindow, test TestWindow, unseenSince, now time.Time) (Split, error) {
	due, err := t.Due(f)
	if err != nil {
		return Split{}, err
	}
	labels, _, err := t.Labels(f, now)
	if err != nil {
		return Split{}, err
	}
	var s Split
	for i := range due {
		switch {
		case due[i] > now.UnixMicro():
			s.Immature++
		case math.IsNaN(labels[i]):
			s.MatureUnlabelled++
		default:
			s.Mature = append(s.Mature, i)
		}
	}
	sort.SliceStable(s.Mature, func(a, b int) bool { return due[s.Mature[a]] < due[s.Mature[b]] })
	if len(s.Mature) == 0 {
		return s, nil
	}
	if t.Time == "" && t.Truth.DueAt == "" {
		s.byPlace(test)
		return s, nil
	}
	s.byDue(due, train, test, unseenSince)
	return s, nil
}

// byDue cuts the mature rows at a due moment.
func (s *Split) byDue(due []int64, train TrainWindow, test TestWindow, unseenSince time.Time) {
	at := func(k int) int64 { return due[s.Mature[k]] }
	n := len(s.Mature)
	newest := at(n - 1)
	from := sort.Search(n, func(k int) bool { return at(k) > newest-test.Window.D().Microseconds() })
	for from > 0 && n-from < test.AtLeast {
		from--
	}
	for from > 0 && at(from) == at(from-1) { // the same moment stays together
		from--
	}
	if !unseenSince.IsZero() {
		first := sort.Search(n, func(k int) bool { return at(k) > unseenSince.UnixMicro() })
		from = max(from, first)
	}
	s.Test = s.Mature[from:]
	s.Train = s.Mature[:from]
	s.Short = max(0, test.AtLeast-len(s.Test))
	s.SeenUntil = time.UnixMicro(newest).UTC()
	if len(s.Test) == 0 {
		return
	}
	s.TestFrom, s.TestTo = time.UnixMicro(at(from)).UTC(), s.SeenUntil
	if w := train.Window.D().Microseconds(); w > 0 {
		oldest := at(from) - w
		k := sort.Search(len(s.Train), func(k int) bool { return due[s.Train[k]] >= oldest })
		s.Train = s.Train[k:]
	}
}

// byPlace holds out the last fifth, at least at_least rows, of rows without a time:
// the order of the file stands for time.
func (s *Split) byPlace(test TestWindow) {
	n := len(s.Mature)
	from := n - min(n, max(n/5, test.AtLeast))
	s.Train, s.Test = s.Mature[:from], s.Mature[from:]
	s.Short = max(0, test.AtLeast-len(s.Test))
}

// Blocks gives rows that are one draw the same number; nil where each row is one.
func (t Task) Blocks(f *frame.Frame) ([]uint64, error) {
	if each := t.Block.Each.D().Microseconds(); each > 0 {
		at, err := Times(f, t.Time)
		if err != nil {
			return nil, err
		}
		out := make([]uint64, len(at))
		for i, us := range at {
			out[i] = uint64(floorDiv(us, each))
		}
		return out, nil
	}
	if len(t.Block.Columns) == 0 {
		return nil, nil
	}
	ids := map[string]uint64{}
	out := make([]uint64, f.Rows())
	var key []byte
	for i := range out {
		key = key[:0]
		for _, name := range t.Block.Columns {
			c := f.Column(name)
			if c == nil {
				return nil, fault.New(fault.Invalid, "there is no column %q, which predict.block names", name)
			}
			key = strconv.AppendQuote(key, c.Format(i))
		}
		id, ok := ids[string(key)]
		if !ok {
			id = uint64(len(ids))
			ids[string(key)] = id
		}
		out[i] = id
	}
	return out, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// Values names the part of each row: the column's value, or the bin it falls into
// ("<7", "7…30", "≥90"); "" where it is missing.
func (s Slice) Values(f *frame.Frame) ([]string, error) {
	c := f.Column(s.Column)
	if c == nil {
		return nil, fault.New(fault.Invalid, "there is no column %q to cut by", s.Column)
	}
	if len(s.Bins) > 0 && c.Kind != frame.Number {
		return nil, fault.New(fault.Invalid, "column %q holds %s and cannot be cut into bins", s.Column, c.Kind)
	}
	out := make([]string, c.Len())
	for i := range out {
		if len(s.Bins) == 0 || c.Missing(i) {
			out[i] = c.Format(i)
			continue
		}
		out[i] = s.bin(c.Num[i])
	}
	return out, nil
}

// Of is the part in which a value lies that is given as text; "" belongs to none: a
// missing value, or with bins one that is not a number.
func (s Slice) Of(value string) string {
	if len(s.Bins) == 0 || value == "" {
		return value
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(x) {
		return ""
	}
	return s.bin(x)
}

func (s Slice) bin(x float64) string {
	edge := func(i int) string { return strconv.FormatFloat(s.Bins[i], 'g', -1, 64) }
	k := sort.Search(len(s.Bins), func(i int) bool { return s.Bins[i] > x })
	switch {
	case k == 0:
		return "<" + edge(0)
	case k == len(s.Bins):
		return "≥" + edge(k-1)
	}
	return edge(k-1) + "…" + edge(k)
}
