// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/data/frame"
	"flyball/fault"
)

// Given is what checks know besides the rows.
type Given struct {
	Now    time.Time
	Before int      // rows of the snapshot before: that which the live version was made from; 0: there is none, and growth is not asked
	Inputs []string // columns that the model reads; none: all that are no label, key or time of the task
}

// inputs are the columns that stuck and leaks look at when they name none.
func (g Given) inputs(task Task, f *frame.Frame) []*frame.Column {
	var out []*frame.Column
	for i := range f.Columns() {
		c := &f.Columns()[i]
		named := len(g.Inputs) == 0 || slices.Contains(g.Inputs, c.Name)
		if named && !slices.Contains([]string{task.Column, task.ID, task.Time, task.Truth.DueAt, task.Truth.KnownAt}, c.Name) && !slices.Contains(task.Never, c.Name) {
			out = append(out, c)
		}
	}
	return out
}

// stuck finds columns that hold one value alone, or none.
func (c Check) stuck(task Task, f *frame.Frame, g Given) (finding, error) {
	cols := g.inputs(task, f)
	if len(c.Stuck.Columns) > 0 {
		cols = nil
		for _, name := range c.Stuck.Columns {
			col := f.Column(name)
			if col == nil {
				return finding{}, fault.New(fault.Invalid, "a check names the column %q, which the data does not have", name)
			}
			cols = append(cols, col)
		}
	}
	rows, err := c.newest(task, f)
	if err != nil || len(rows) < 2 {
		return finding{}, err
	}
	var text []string
	for _, col := range cols {
		if what := alone(col, rows); what != "" {
			text = append(text, fmt.Sprintf("column %q %s", col.Name, what))
		}
	}
	if len(text) == 0 {
		return finding{}, nil
	}
	where := fmt.Sprintf("in all %d rows", len(rows))
	if w := c.Stuck.Within; w != 0 {
		where = fmt.Sprintf("in the %d rows of the newest %s", len(rows), w)
	}
	return finding{strings.Join(text, ", ") + " " + where, rows, len(text)}, nil
}

// newest are the rows that stuck looks at.
func (c Check) newest(task Task, f *frame.Frame) ([]int, error) {
	rows := make([]int, 0, f.Rows())
	if c.Stuck.Within == 0 {
		for i := range f.Rows() {
			rows = append(rows, i)
		}
		return rows, nil
	}
	at, err := task.times(f, "looks at the newest rows")
	if err != nil {
		return nil, err
	}
	last := int64(frame.NoTime)
	for _, us := range at {
		last = max(last, us)
	}
	from := last - c.Stuck.Within.D().Microseconds()
	for i, us := range at {
		if us != frame.NoTime && us > from {
			rows = append(rows, i)
		}
	}
	return rows, nil
}

// alone says what one value the rows have; empty: they have several.
func alone(c *frame.Column, rows []int) string {
	first := -1
	for _, i := range rows {
		switch {
		case c.Missing(i):
			if first >= 0 {
				return ""
			}
		case first < 0 && i == rows[0]:
			first = i
		case first < 0: // those before have none
			return ""
		case !equal(c, first, i):
			return ""
		}
	}
	if first < 0 {
		return "has no value"
	}
	return "is " + c.Format(first)
}

func equal(c *frame.Column, i, j int) bool {
	switch c.Kind {
	case frame.Number:
		return c.Num[i] == c.Num[j]
	case frame.Text:
		return c.Text[i] == c.Text[j]
	}
	return c.Time[i] == c.Time[j]
}

// growth compares the number of rows with that of the snapshot before.
func (c Check) growth(f *frame.Frame, g Given) finding {
	if g.Before == 0 {
		return finding{}
	}
	share := float64(f.Rows()) / float64(g.Before)
	say := func(what string, limit float64) finding {
		return finding{text: fmt.Sprintf("%d rows are %.4g %% of the %d before, %s %.4g %% are asked for", f.Rows(), 100*share, g.Before, what, 100*limit)}
	}
	switch {
	case share < float64(c.Growth.AtLeast)-1e-9:
		return say("at least", float64(c.Growth.AtLeast))
	case c.Growth.AtMost > 0 && share > float64(c.Growth.AtMost)+1e-9:
		return say("at most", float64(c.Growth.AtMost))
	}
	return finding{}
}

// kind compares what a column holds with what it should; where it holds text, the rows
// that are no number or time are those to mend.
func (c Check) kind(col *frame.Column) finding {
	if col.Kind == *c.Type {
		return finding{}
	}
	out := finding{text: fmt.Sprintf("column %q holds %s, it should hold %s", col.Name, kindWord(col.Kind), kindWord(*c.Type))}
	if col.Kind != frame.Text {
		return out
	}
	for i, s := range col.Text {
		if !col.Missing(i) && !reads(s, *c.Type) {
			out.rows = append(out.rows, i)
		}
	}
	if out.count = len(out.rows); out.count > 0 {
		out.text += fmt.Sprintf("; row %d: %q (%s)", out.rows[0]+1, clip(col.Text[out.rows[0]]), such(out.count))
	}
	return out
}

func kindWord(k frame.Kind) string {
	if k == frame.Text {
		return "text"
	}
	return k.String() + "s"
}

// clip is a text short enough for a message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}

// ranks are the places of values in their order, from 1, those that are equal with the
// mean of theirs. NaN comes first: missing values are one value.
func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	less := func(a, b float64) int {
		switch {
		case a < b || math.IsNaN(a) && !math.IsNaN(b):
			return -1
		case a > b || math.IsNaN(b) && !math.IsNaN(a):
			return 1
		}
		return 0
	}
	slices.SortFunc(order, func(a, b int) int { return less(values[a], values[b]) })
	out := make([]float64, len(values))
	for i := 0; i < len(order); {
		j := i + 1
		for j < len(order) && less(values[order[i]], values[order[j]]) == 0 {
			j++
		}
		for k := i; k < j; k++ {
			out[order[k]] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

// reads says whether a text is a value of the kind.
func reads(s string, k frame.Kind) bool {
	switch k {
	case frame.Number:
		_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		return err == nil
	case frame.Time:
		_, err := frame.ParseTime(s)
		return err == nil
	}
	return true
}
