// SPDX-License-Identifier: Apache-2.0

// Package search reads the language in which runs, experiments, models, versions
// and logged models are asked for: MLflow's filter strings and order_by clauses. It
// parses and checks them and gives them as values; it looks nothing up. Package store
// turns the values into SQL.
package search

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

// Filter is a conjunction of comparisons: a thing is found when all hold. An empty
// Filter finds everything.
type Filter []Comparison

// Comparison is one condition.
type Comparison struct {
	Entity Entity
	Key    string // the canonical name of an attribute (run_name, start_time, …), or the key as written
	Op     Op
	Text   string   // right side, for texts
	Number float64  // right side, for metrics and numeric attributes
	Whole  int64    // Number when it is a whole number that Number may not hold exactly
	IsNum  bool     // the right side is Number
	List   []string // right side of In and NotIn
}

// Order is one key to sort by.
type Order struct {
	Entity Entity
	Key    string // as in Comparison
	Desc   bool

	// DatasetName and DatasetDigest limit which metrics of a logged model count; both
	// empty: any.
	DatasetName, DatasetDigest string
}
