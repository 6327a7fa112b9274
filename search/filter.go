// SPDX-License-Identifier: Apache-2.0

// Package search reads the language in which runs, experiments, models, versions
// and logged models are asked for: MLflow's filter strings and order_by clauses. It
// parses and checks them and gives them as values; it looks nothing up. Package store
// turns the values into SQL. What is refused is an Invalid fault in MLflow's words.
//
// Where MLflow 3 is stricter or looser by accident, this reads what was meant: words
// in any case, a quote inside a text written twice, an exponent with a plus. It does
// not guess at comparisons that no AND joins.
package search

import (
	"math"
	"strconv"
	"strings"
)

// Entity is what kind of thing a comparison or an order looks at.
type Entity uint8

// The entities. A filter of experiments, models and versions knows attributes and
// tags only.
const (
	Attribute Entity = iota // a field of the thing itself
	Metric                  // the latest value of a metric
	Param                   // a parameter
	Tag                     // a tag
	Dataset                 // a field of a dataset that the run read
)

// String is the word for the entity before a key.
func (e Entity) String() string {
	return [...]string{"attributes", "metrics", "params", "tags", "datasets"}[min(e, Dataset)]
}

// Op is how a comparison compares.
type Op uint8

// The operators.
const (
	Equal        Op = iota // =
	NotEqual               // !=
	Less                   // <
	LessEqual              // <=
	Greater                // >
	GreaterEqual           // >=
	Like                   // LIKE: case matters; % is any text, _ any character
	ILike                  // ILIKE: the same without case
	In                     // IN (…)
	NotIn                  // NOT IN (…)
	IsNull                 // IS NULL: there is no such key
	IsNotNull              // IS NOT NULL
)

// String is the operator as it is written.
func (o Op) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN", "NOT IN", "IS NULL", "IS NOT NULL"}[min(o, IsNotNull)]
}

// Filter is a conjunction of comparisons: a thing is found when all hold. An empty
// Filter finds everything.
type Filter []Comparison

// Comparison is one condition.
type Comparison struct {
	Entity Entity
	Key    string // the canonical name of an attribute (run_name, start_time, …), or the key as written
	Op     Op
	Text   string   // right side, for texts
	Number float64  // right side, for metrics and numeric attributes; may be infinite, not NaN
	IsNum  bool     // the right side is Number
	List   []string // right side of In and NotIn
}

// Order is one key to sort by. Things that lack it come last in both directions.
type Order struct {
	Entity Entity
	Key    string // as in Comparison
	Desc   bool

	// DatasetName and DatasetDigest limit which metrics of a logged model count; both
	// empty: any.
	DatasetName, DatasetDigest string
}

// String writes the filter in the language that it was read from; read again, it is
// the same value.
func (f Filter) String() string {
	var b strings.Builder
	for i, c := range f {
		if i > 0 {
			b.WriteString(" AND ")
		}
		c.write(&b)
	}
	return b.String()
}

// String writes the comparison in the language that it was read from.
func (c Comparison) String() string {
	var b strings.Builder
	c.write(&b)
	return b.String()
}

func (c Comparison) write(b *strings.Builder) {
	writeKey(b, c.Entity, c.Key)
	b.WriteByte(' ')
	b.WriteString(c.Op.String())
	switch {
	case c.Op == IsNull || c.Op == IsNotNull:
	case c.Op == In || c.Op == NotIn:
		b.WriteString(" (")
		for i, text := range c.List {
			if i > 0 {
				b.WriteString(", ")
			}
			quote(b, text, '\'')
		}
		b.WriteByte(')')
	case c.IsNum:
		b.WriteByte(' ')
		b.WriteString(number(c.Number))
	default:
		b.WriteByte(' ')
		quote(b, c.Text, '\'')
	}
}

// String writes the order as an order_by clause. A limit to datasets has no words
// there and is left out.
func (o Order) String() string {
	var b strings.Builder
	writeKey(&b, o.Entity, o.Key)
	if o.Desc {
		b.WriteString(" DESC")
	}
	return b.String()
}

// number writes a whole number as such, because some attributes take no other.
func number(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "1e999"
	case math.IsInf(f, -1):
		return "-1e999"
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// writeKey leaves the entity of an attribute out, as people do.
func writeKey(b *strings.Builder, e Entity, key string) {
	if e != Attribute {
		b.WriteString(e.String())
		b.WriteByte('.')
	}
	if plain(key) {
		b.WriteString(key)
		return
	}
	quote(b, key, '`')
}

// plain says whether a key needs no quotes.
func plain(key string) bool {
	for _, r := range key {
		if !inWord(r) {
			return false
		}
	}
	return key != "" && !strings.HasPrefix(key, ".")
}

func quote(b *strings.Builder, s string, q byte) {
	b.WriteByte(q)
	for i := range len(s) {
		if s[i] == q {
			b.WriteByte(q)
		}
		b.WriteByte(s[i])
	}
	b.WriteByte(q)
}
