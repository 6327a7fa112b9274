// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
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
func Run(checks []Check, task Task, f *frame.Frame, g Given) ([]Problem, error) {
	var out []Problem
	for _, c := range checks {
		found, err := c.run(task, f, g)
		if err != nil {
			return nil, err
		}
		if found.text == "" {
			continue
		}
		p := Problem{Check: c.String(), Severity: c.Severity, Text: found.text, Rows: found.rows[:min(len(found.rows), 10)], Count: found.count}
		if p.Severity == "" {
			p.Severity = "stop"
		}
		out = append(out, p)
	}
	return out, nil
}

// finding is what a check has against the rows; without a text it has nothing.
type finding struct {
	text  string
	rows  []int
	count int
}

// against makes a finding of the rows that are wrong.
func against(rows []int, format string, args ...any) finding {
	return finding{fmt.Sprintf(format, args...), rows, len(rows)}
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
	case c.Stuck != nil:
		return "no column is stuck"
	case c.Leaks != nil:
		return "no column tells the label"
	case c.Growth != nil:
		return "growth of the rows"
	}
	return "nothing"
}

func (c Check) run(task Task, f *frame.Frame, g Given) (finding, error) {
	switch {
	case c.Column != "":
		return c.column(f)
	case c.Row != "":
		return c.row(f)
	case c.Rows != nil && c.Rows.Per.D() >= time.Microsecond:
		return c.per(task, f)
	case c.Rows != nil:
		if f.Rows() < c.Rows.AtLeast {
			return finding{text: fmt.Sprintf("%d rows, at least %d are asked for", f.Rows(), c.Rows.AtLeast)}, nil
		}
		return finding{}, nil
	case len(c.Unique) > 0:
		return c.unique(f)
	case c.Fresh != nil:
		return c.fresh(task, f, g.Now)
	case c.Stuck != nil:
		return c.stuck(task, f, g)
	case c.Leaks != nil:
		return c.leaks(task, f, g)
	case c.Growth != nil:
		return c.growth(f, g), nil
	}
	return finding{}, fault.New(fault.Invalid, "a check asks for nothing").Do("write column, row, rows, unique, fresh, stuck, leaks or growth")
}

func (c Check) column(f *frame.Frame) (finding, error) {
	col := f.Column(c.Column)
	if col == nil {
		return finding{}, fault.New(fault.Invalid, "a check names the column %q, which the data does not have", c.Column)
	}
	if c.Type != nil {
		if found := c.kind(col); found.text != "" {
			return found, nil
		}
	}
	if (c.Min != nil || c.Max != nil) && col.Kind != frame.Number {
		return finding{}, fault.New(fault.Invalid, "a check bounds the column %q, which holds %s", c.Column, col.Kind)
	}
	allowed := c.allowed(col.Kind)
	var bad, missing []int
	why := ""
	for i := range col.Len() {
		if col.Missing(i) {
			missing = append(missing, i)
			continue
		}
		w := c.objection(col, i, allowed)
		if w == "" {
			continue
		}
		if bad = append(bad, i); why == "" {
			why = w
		}
	}
	if len(bad) > 0 {
		return against(bad, "column %q, row %d: %s %s (%s)", c.Column, bad[0]+1, col.Format(bad[0]), why, such(len(bad))), nil
	}
	if c.Missing != nil && !within(len(missing), col.Len(), c.Missing.AtMost) {
		return against(missing, "column %q: %d of %d values are missing, at most %s may be; the first in row %d",
			c.Column, len(missing), col.Len(), c.Missing.AtMost, missing[0]+1), nil
	}
	return finding{}, nil
}

// allowed are the values that may be, as Format writes them: a model file may say
// 1.0 where the number 1 is meant. Nil: all may.
func (c Check) allowed(kind frame.Kind) map[string]bool {
	if len(c.Allowed) == 0 {
		return nil
	}
	out := make(map[string]bool, len(c.Allowed))
	for _, v := range c.Allowed {
		if x, err := strconv.ParseFloat(v, 64); err == nil && kind == frame.Number {
			v = strconv.FormatFloat(x, 'g', -1, 64)
		}
		if us, err := frame.ParseTime(v); err == nil && kind == frame.Time {
			v = time.UnixMicro(us).UTC().Format(time.RFC3339Nano)
		}
		out[v] = true
	}
	return out
}

// objection is what is wrong with the value of row i; empty: nothing.
func (c Check) objection(col *frame.Column, i int, allowed map[string]bool) string {
	switch {
	case c.Min != nil && col.Num[i] < *c.Min:
		return fmt.Sprintf("is less than %g", *c.Min)
	case c.Max != nil && col.Num[i] > *c.Max:
		return fmt.Sprintf("is more than %g", *c.Max)
	case allowed != nil && !allowed[col.Format(i)]:
		if len(c.Allowed) > 8 {
			return fmt.Sprintf("is not one of the %d values that are allowed", len(c.Allowed))
		}
		return "is not " + unit.List(c.Allowed)
	}
	return ""
}

func such(n int) string {
	if n == 1 {
		return "1 such row"
	}
	return strconv.Itoa(n) + " such rows"
}

// within reports whether k of n are at most the share. 7% of 100 are 7: a share in
// binary is a little off, and must not decide about a row.
func within(k, n int, most unit.Share) bool {
	return float64(k) <= float64(most)*float64(n)+1e-9*float64(n)
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

// Where is the rows for which a row expression holds, in order; for an empty expression
// all of them. The error is an Invalid fault.
func Where(f *frame.Frame, expression string) ([]int, error) {
	at := make([]int, 0, f.Rows())
	if expression == "" {
		for i := range f.Rows() {
			at = append(at, i)
		}
		return at, nil
	}
	_, err := eachRow(f, expression, func(i int, holds bool) {
		if holds {
			at = append(at, i)
		}
	})
	return at, err
}

// eachRow tells of each row whether the expression holds.
func eachRow(f *frame.Frame, expression string, tell func(i int, holds bool)) (*vm.Program, error) {
	program, err := compileRow(expression, f.Fields())
	if err != nil {
		return nil, err
	}
	env := make(map[string]any, len(f.Columns()))
	var m vm.VM
	for i := range f.Rows() {
		rowEnv(f, i, env)
		got, err := m.Run(program, env)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "row %d: the expression %q fails", i+1, expression)
		}
		holds, _ := got.(bool)
		tell(i, holds)
	}
	return program, nil
}

func (c Check) row(f *frame.Frame) (finding, error) {
	var bad []int
	program, err := eachRow(f, c.Row, func(i int, holds bool) {
		if !holds {
			bad = append(bad, i)
		}
	})
	if err != nil {
		return finding{}, err
	}
	may := unit.Share(0)
	if c.Share != nil {
		may = 1 - c.Share.AtLeast
	}
	if within(len(bad), f.Rows(), may) {
		return finding{}, nil
	}
	return against(bad, "%q does not hold in %d of %d rows; the first is row %d%s", c.Row, len(bad), f.Rows(), bad[0]+1, valuesIn(program.Node(), f, bad[0])), nil
}

// valuesIn are the values of row i that an expression looks at: ", where a is 1".
func valuesIn(node ast.Node, f *frame.Frame, i int) string {
	var seen names
	ast.Walk(&node, &seen)
	var parts []string
	for k := range f.Columns() {
		c := &f.Columns()[k]
		if !slices.Contains(seen, c.Name) {
			continue
		}
		if c.Missing(i) {
			parts = append(parts, c.Name+" is missing")
		} else {
			parts = append(parts, c.Name+" is "+c.Format(i))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", where " + strings.Join(parts, " and ")
}

// names collects the identifiers of an expression.
type names []string

// Visit is called for each node of the expression.
func (n *names) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		*n = append(*n, id.Value)
	}
}
