// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/source"
)

func (c *checker) predict() {
	t := c.m.Predict
	c.word("predict.kind", "predict.kind", string(t.Kind))
	switch {
	case t.Column == "":
		c.add("predict.column", "name the column to predict")
	case t.Kind == "":
		c.add("predict.kind", "write binary, multiclass or regression")
	}
	for _, role := range []struct{ key, column string }{{"id", t.ID}, {"time", t.Time}, {"truth.due_at", t.Truth.DueAt}, {"truth.known_at", t.Truth.KnownAt}} {
		if role.column != "" && role.column == t.Column {
			c.add("predict."+role.key, "%s is what the model predicts", role.column)
		}
	}
	if len(t.Block.Columns) > 0 && t.Block.Each != 0 {
		c.add("predict.block", "give columns or a stretch of time, not both")
	}
	if t.Block.Run != 0 && t.Block.Run < 2*t.Block.Each || t.Block.Run != 0 && t.Block.Each == 0 {
		c.add("predict.block", "run is how long a row of stretches depend on each other: at least two of each, such as {each: 1d, run: 7d}")
	}
	if t.Block.Each != 0 && t.Time == "" {
		c.add("predict.block", "a stretch of time needs predict.time")
	}
	if slices.Contains(t.Block.Columns, t.Column) {
		c.add("predict.block", "%s is what the model predicts; rows of one outcome are not one draw", t.Column)
	}
	c.hangs()
	c.decide()
	c.slices("predict.groups", t.Groups)
	c.slices("predict.audit", t.Audit)
	c.audit()
	for i, column := range t.Never {
		if slices.Contains(t.Never[:i], column) {
			c.add(fmt.Sprintf("predict.never[%d]", i), "%s stands twice", column)
		}
	}
}

// audit checks that what is kept apart is told apart: by a name that no role and no group of
// the rows has, and once.
func (c *checker) audit() {
	t := c.m.Predict
	if len(t.Audit) > 0 && t.Kind != dataset.Binary {
		c.add("predict.audit", "only of a binary model is told what it does for groups; what nobody looks at is better not kept")
	}
	for i, a := range t.Audit {
		at := fmt.Sprintf("predict.audit[%d]", i)
		same := func(s dataset.Slice) bool { return s.Column == a.Column }
		otherwise := func(s dataset.Slice) bool { return same(s) && !slices.Equal(s.Bins, a.Bins) } // else slices tells
		switch {
		case slices.ContainsFunc(t.Groups, same):
			c.add(at, "%s is among predict.groups, whose values come with the rows; name it in one of them", a.Column)
		case slices.ContainsFunc(t.Audit[:i], otherwise):
			c.add(at, "%s stands twice", a.Column)
		case a.Column != "" && slices.Contains([]string{t.ID, t.Time, t.Truth.DueAt, t.Truth.KnownAt}, a.Column):
			c.add(at, "%s is a column of the rows that predict needs", a.Column)
		}
	}
}

// hangs checks what labels that hang on decisions need: then only what came of each
// version's own decisions can be compared.
func (c *checker) hangs() {
	const at = "predict.label_depends_on_decision"
	t, plan := c.m.Predict, c.m.Release
	switch {
	case !t.LabelDependsOnDecision:
	case t.Kind != dataset.Binary || t.Decide == nil:
		c.add(at, "only a binary model with predict.decide decides")
	case len(t.Cost) == 0:
		c.add(at, "what comes of a decision is compared by what it costs; say predict.cost, where a gain is a cost below 0")
	case len(plan.Canary) == 0 || plan.Canary[0].Share >= 1:
		c.add(at, "candidate and live version are compared by what comes of their own decisions; give the candidate a share in release.canary, such as {share: 25%%, for: 7d}")
	}
}

func (c *checker) decide() {
	d := c.m.Predict.Decide
	switch {
	case d == nil:
	case c.m.Predict.Kind != dataset.Binary:
		c.add("predict.decide", "only a binary model decides")
	case d.Then == "" || d.Else == "" || d.Then == d.Else:
		c.add("predict.decide", "give two different words, then and else")
	case !(d.Above >= 0 && d.Above < 1):
		c.add("predict.decide.above", "it lies from 0 to below 1")
	}
}

func (c *checker) truth() {
	t := c.m.Predict.Truth
	c.word("predict.truth.missing", "predict.truth.missing", t.Missing)
	if t.DueAt != "" && t.Within != 0 {
		c.add("predict.truth", "due_at and within both say when the truth is due; give one")
	}
	if t.Within != 0 && c.m.Predict.Time == "" {
		c.add("predict.truth.within", "it counts from predict.time, which is not given")
	}
	if t.Missing == "negative" && c.m.Predict.Kind != dataset.Binary {
		c.add("predict.truth.missing", "only a binary model can take a missing label as a no")
	}
	if c.m.Predict.Time != "" && t.DueAt == "" && t.Within == 0 && t.KnownAt == "" {
		c.warn("predict.truth", "it is not given, so the truth is taken to be known at once; if labels come later, say by when they are due (within or due_at), or training favours those that come early")
	}
	if t.KnownAt == "" {
		return
	}
	// Either would choose rows by the labels that have arrived.
	switch {
	case t.KnownAt == t.DueAt:
		c.add("predict.truth.known_at", "%s cannot say both when the truth was due and when it came", t.KnownAt)
	case t.DueAt == "" && t.Within == 0:
		c.add("predict.truth.known_at", "the truth comes later than the row: say by when it is due, with due_at or within")
	}
}

// slices checks cuts of rows; their columns may lie outside the inputs.
func (c *checker) slices(path string, all []dataset.Slice) {
	for i, s := range all {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case s.Column == "":
			c.add(at, "name a column")
		case s.Column == c.m.Predict.Column:
			c.add(at, "%s is what the model predicts", s.Column)
		}
		for k, edge := range s.Bins {
			if !finite(edge) || k > 0 && !(edge > s.Bins[k-1]) {
				c.add(at, "bins must rise")
				break
			}
		}
		if slices.ContainsFunc(all[:i], func(o dataset.Slice) bool { return o.Column == s.Column && slices.Equal(o.Bins, s.Bins) }) {
			c.add(at, "%s stands twice", s.Column)
		}
	}
}

func (c *checker) data() {
	d := c.m.Data
	c.source(d)
	c.word("data.also", "data.also", d.Also)
	for _, w := range d.Train {
		if w.Window != 0 && c.m.Predict.Time == "" && c.m.Predict.Truth.DueAt == "" {
			c.add("data.train", "a window needs predict.time or predict.truth.due_at")
		}
	}
	if d.Test.AtLeast < 0 {
		c.add("data.test.at_least", "it cannot be negative")
	}
	for i, check := range d.Checks {
		c.check(fmt.Sprintf("data.checks[%d]", i), check)
	}
}

// source checks where the rows are and how they are written.
func (c *checker) source(d dataset.Settings) {
	scheme, _, elsewhere := strings.Cut(d.Source, "://")
	database := elsewhere && (scheme == "postgres" || scheme == "postgresql")
	switch {
	case d.Source == "":
		c.add("data.source", "name the file that holds the rows")
	case elsewhere && !database && scheme != "s3":
		c.add("data.source", "%s:// cannot be read; name files, s3://bucket/key or postgres://host/database", scheme)
	case elsewhere && secret(d.Source):
		c.add("data.source", "a password does not belong into a model file; whoever starts the server gives it in the environment")
	case database && d.Query == "":
		c.add("data.query", "say which rows of the database, such as SELECT … FROM … ORDER BY …")
	case !database && d.Query != "":
		c.add("data.query", "it belongs to a source that is postgres://host/database")
	case database && !strings.Contains(strings.ToLower(d.Query), "order by"):
		c.warn("data.query", "without ORDER BY the rows may come in another order each time, and the same rows are then another snapshot")
	}
	if err := source.Options(d).Check(); err != nil {
		c.add("data.csv", "%s", err)
	}
}

// secret reports whether an address has a password in it.
func secret(place string) bool {
	u, err := url.Parse(place)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}

func (c *checker) check(at string, k dataset.Check) {
	c.word(at+".severity", "data.checks.severity", k.Severity)
	kinds := 0
	for _, given := range []bool{k.Column != "", k.Row != "", k.Rows != nil, len(k.Unique) > 0, k.Fresh != nil, k.Stuck != nil, k.Leaks != nil, k.Growth != nil} {
		if given {
			kinds++
		}
	}
	ofColumn := k.Min != nil || k.Max != nil || k.Missing != nil || len(k.Allowed) > 0 || k.Type != nil
	switch {
	case kinds != 1:
		c.add(at, "give exactly one of column, row, rows, unique, fresh, stuck, leaks and growth")
	case k.Column != "" && !ofColumn:
		c.add(at, "say what holds of %s: type, min, max, missing or allowed", k.Column)
	case k.Column == "" && ofColumn:
		c.add(at, "type, min, max, missing and allowed belong to a column")
	case k.Min != nil && k.Max != nil && !(*k.Min <= *k.Max):
		c.add(at, "min is above max")
	case k.Share != nil && k.Row == "":
		c.add(at, "share belongs to row")
	case k.Rows != nil && k.Rows.AtLeast <= 0:
		c.add(at, "rows needs at_least, a number above 0")
	case k.Rows != nil && k.Rows.Per != 0 && c.m.Predict.Time == "":
		c.add(at, "rows per %s needs predict.time", k.Rows.Per)
	case k.Fresh != nil && c.m.Predict.Time == "":
		c.add(at, "fresh needs predict.time")
	case k.Fresh != nil && k.Fresh.Within == 0:
		c.add(at, "fresh needs within, such as 2d")
	case k.Stuck != nil && k.Stuck.Within != 0 && c.m.Predict.Time == "":
		c.add(at, "stuck within %s needs predict.time", k.Stuck.Within)
	case k.Leaks != nil && k.Leaks.AUC != 0 && !(k.Leaks.AUC > 0.5 && k.Leaks.AUC <= 1):
		c.add(at, "leaks.auc lies above 0.5, and is at most 1")
	case k.Growth != nil && k.Growth.AtLeast == 0 && k.Growth.AtMost == 0:
		c.add(at, "growth needs at_least or at_most, such as 90%%")
	case k.Growth != nil && k.Growth.AtMost != 0 && k.Growth.AtMost < k.Growth.AtLeast:
		c.add(at, "growth: at_least is above at_most")
	case k.Row != "":
		c.row(at+".row", k.Row)
	}
}

// names collects the identifiers of an expression.
type names struct{ seen []string }

// Visit is called for each node of the expression.
func (n *names) Visit(node *ast.Node) {
	if id, ok := (*node).(*ast.IdentifierNode); ok {
		n.seen = append(n.seen, id.Value)
	}
}

// row checks an expression: its types where all it reads are inputs, else only that
// it can be read, as columns of the data need not be inputs.
func (c *checker) row(at, expression string) {
	tree, err := parser.Parse(expression)
	if err != nil {
		c.add(at, "the expression cannot be read: %s", sentence(err))
		return
	}
	if !c.known {
		return
	}
	fields := slices.Clone(c.inputs)
	if kind := c.m.Predict.Kind; kind == dataset.Multiclass {
		fields = append(fields, frame.Field{Name: c.m.Predict.Column, Kind: frame.Text})
	} else {
		fields = append(fields, frame.Field{Name: c.m.Predict.Column, Kind: frame.Number})
	}
	var used names
	ast.Walk(&tree.Node, &used)
	for _, name := range used.seen {
		if !slices.ContainsFunc(fields, func(f frame.Field) bool { return f.Name == name }) {
			c.warn(at, "%s is no input; the data must have a column of this name", name)
			return
		}
	}
	if err := dataset.CompileRow(expression, fields); err != nil {
		c.add(at, "%s", sentence(err))
	}
}
