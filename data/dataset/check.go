// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"flyball/data/frame"
	"flyball/fault"
)

// Problem is a check that the rows do not pass.
type Problem struct {
	Check    string `json:"check"`    // in words, as the model file says it
	Severity string `json:"severity"` // stop or warn
	Text     string `json:"text"`     // one sentence with row, column and value
	Rows     []int  `json:"rows"`     // the first ten, from 0
	Count    int    `json:"count"`    // of rows, or of stretches of time
}

// Run checks the rows and returns every check that they do not pass. A check that
// names an absent column is an Invalid fault.
func Run(checks []Check, task Task, f *frame.Frame, now time.Time) ([]Problem, error) {
	var out []Problem
	for _, c := range checks {
		bad, text, err := c.run(task, f, now)
		if err != nil {
			return nil, err
		}
		if text == "" {
			continue
		}
		p := Problem{Check: c.String(), Severity: c.Severity, Text: text, Rows: bad[:min(len(bad), 10)], Count: len(bad)}
		if p.Severity == "" {
			p.Severity = "stop"
		}
		out = append(out, p)
	}
	return out, nil
}

// String is the check in words.
func (c Check) String() string {
	switch {
	case c.Column != "":
		return "column " + c.Column
	case c.Row != "":
		return "row " + c.Row
	case c.Rows != nil && c.Rows.Per > 0:
		return fmt.Sprintf("at least %d rows per %s", c.Rows.AtLeast, c.Rows.Per)
	case c.Rows != nil:
		return fmt.Sprintf("at least %d rows", c.Rows.AtLeast)
	case len(c.Unique) > 0:
		return "unique " + strings.Join(c.Unique, ", ")
	case c.Fresh != nil:
		return "newest row within " + c.Fresh.Within.String()
	}
	return "nothing"
}

// run returns the rows that fail and a sentence; an empty sentence is a pass.
func (c Check) run(task Task, f *frame.Frame, now time.Time) ([]int, string, error) {
	switch {
	case c.Column != "":
		return c.column(f)
	case c.Row != "":
		return c.row(f)
	case c.Rows != nil && c.Rows.Per > 0:
		return c.per(task, f)
	case c.Rows != nil:
		if f.Rows() < c.Rows.AtLeast {
			return nil, fmt.Sprintf("%d rows, at least %d are asked for", f.Rows(), c.Rows.AtLeast), nil
		}
		return nil, "", nil
	case len(c.Unique) > 0:
		return c.unique(f)
	case c.Fresh != nil:
		return c.fresh(task, f, now)
	}
	return nil, "", fault.New(fault.Invalid, "a check asks for nothing")
}

func (c Check) column(f *frame.Frame) ([]int, string, error) {
	col := f.Column(c.Column)
	if col == nil {
		return nil, "", fault.New(fault.Invalid, "a check names the column %q, which the data does not have", c.Column)
	}
	if (c.Min != nil || c.Max != nil) && col.Kind != frame.Number {
		return nil, "", fault.New(fault.Invalid, "a check bounds the column %q, which holds %s", c.Column, col.Kind)
	}
	var bad, missing []int
	for i := range col.Len() {
		switch {
		case col.Missing(i):
			missing = append(missing, i)
		case c.Min != nil && col.Num[i] < *c.Min, c.Max != nil && col.Num[i] > *c.Max,
			len(c.Allowed) > 0 && !slices.Contains(c.Allowed, col.Format(i)):
			bad = append(bad, i)
		}
	}
	if len(bad) > 0 {
		return bad, fmt.Sprintf("column %q, row %d: %s is not allowed (%d such rows)", c.Column, bad[0]+1, col.Format(bad[0]), len(bad)), nil
	}
	if c.Missing != nil && float64(len(missing)) > float64(c.Missing.AtMost)*float64(col.Len()) {
		return missing, fmt.Sprintf("column %q: %d of %d values are missing, at most %s may be; the first in row %d",
			c.Column, len(missing), col.Len(), c.Missing.AtMost, missing[0]+1), nil
	}
	return nil, "", nil
}

// CompileRow reads a row expression for rows of the fields. The error is an Invalid
// fault with the place in the expression.
func CompileRow(expression string, fields []frame.Field) error {
	_, err := compileRow(expression, fields)
	return err
}

func compileRow(expression string, fields []frame.Field) (*vm.Program, error) {
	env := map[string]any{}
	for _, f := range fields {
		switch f.Kind {
		case frame.Number:
			env[f.Name] = 0.0
		case frame.Text:
			env[f.Name] = ""
		case frame.Time:
			env[f.Name] = time.Time{}
		}
	}
	p, err := expr.Compile(expression, expr.Env(env), expr.AsBool())
	return p, fault.Wrap(err, fault.Invalid, "the expression %q cannot be read", expression)
}

// rowEnv is row i as an expression sees it: NaN, "" and the zero time where missing.
func rowEnv(f *frame.Frame, i int, env map[string]any) {
	for k := range f.Columns() {
		c := &f.Columns()[k]
		switch c.Kind {
		case frame.Number:
			env[c.Name] = c.Num[i]
		case frame.Text:
			env[c.Name] = c.Text[i]
		case frame.Time:
			env[c.Name] = time.Time{}
			if c.Time[i] != frame.NoTime {
				env[c.Name] = time.UnixMicro(c.Time[i]).UTC()
			}
		}
	}
}

func (c Check) row(f *frame.Frame) ([]int, string, error) {
	program, err := compileRow(c.Row, f.Fields())
	if err != nil {
		return nil, "", err
	}
	var bad []int
	env := make(map[string]any, len(f.Columns()))
	var m vm.VM
	for i := range f.Rows() {
		rowEnv(f, i, env)
		got, err := m.Run(program, env)
		if err != nil {
			return nil, "", fault.Wrap(err, fault.Invalid, "row %d: the expression %q fails", i+1, c.Row)
		}
		if ok, _ := got.(bool); !ok {
			bad = append(bad, i)
		}
	}
	limit := 1.0
	if c.Share != nil {
		limit = float64(c.Share.AtLeast)
	}
	if float64(f.Rows()-len(bad)) >= limit*float64(f.Rows()) {
		return nil, "", nil
	}
	return bad, fmt.Sprintf("%q does not hold in %d of %d rows; the first is row %d", c.Row, len(bad), f.Rows(), bad[0]+1), nil
}

// per counts rows in each stretch of time between the first and the last row; the
// last stretch is not over and is not counted.
func (c Check) per(task Task, f *frame.Frame) ([]int, string, error) {
	if task.Time == "" {
		return nil, "", fault.New(fault.Invalid, "a check counts rows per %s, and predict.time names no column", c.Rows.Per)
	}
	at, err := Times(f, task.Time)
	if err != nil {
		return nil, "", err
	}
	each := c.Rows.Per.D().Microseconds()
	counts := map[int64]int{}
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for _, us := range at {
		if us == frame.NoTime {
			continue
		}
		k := floorDiv(us, each)
		counts[k]++
		first, last = min(first, k), max(last, k)
	}
	var short []string
	for k := first; k < last; k++ {
		if counts[k] < c.Rows.AtLeast {
			short = append(short, time.UnixMicro(k*each).UTC().Format("2006-01-02")+" has "+strconv.Itoa(counts[k]))
		}
	}
	if len(short) == 0 {
		return nil, "", nil
	}
	return make([]int, len(short)), fmt.Sprintf("%d of %d stretches of %s have fewer than %d rows, such as %s",
		len(short), last-first, c.Rows.Per, c.Rows.AtLeast, short[len(short)-1]), nil
}

func (c Check) unique(f *frame.Frame) ([]int, string, error) {
	cols := make([]*frame.Column, len(c.Unique))
	for i, name := range c.Unique {
		if cols[i] = f.Column(name); cols[i] == nil {
			return nil, "", fault.New(fault.Invalid, "a check names the column %q, which the data does not have", name)
		}
	}
	first := make(map[string]int, f.Rows())
	var bad []int
	var key []byte
	text := ""
	for i := range f.Rows() {
		key = key[:0]
		for _, col := range cols {
			key = strconv.AppendQuote(key, col.Format(i))
		}
		was, twice := first[string(key)]
		if !twice {
			first[string(key)] = i
			continue
		}
		if bad = append(bad, i); text == "" {
			text = fmt.Sprintf("rows %d and %d have the same %s: %s", was+1, i+1, strings.Join(c.Unique, ", "), key)
		}
	}
	if len(bad) > 1 {
		text += fmt.Sprintf(" (%d such rows)", len(bad))
	}
	return bad, text, nil
}

func (c Check) fresh(task Task, f *frame.Frame, now time.Time) ([]int, string, error) {
	at, err := Times(f, task.Time)
	if err != nil {
		return nil, "", err
	}
	newest := int64(math.MinInt64)
	for _, us := range at {
		newest = max(newest, us)
	}
	age := now.Sub(time.UnixMicro(newest))
	if newest != frame.NoTime && age <= c.Fresh.Within.D() {
		return nil, "", nil
	}
	return nil, fmt.Sprintf("the newest row is %s old, at most %s is asked for", age.Round(time.Minute), c.Fresh.Within), nil
}
