// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/unit"
)

const (
	maxExpr    = 4096   // bytes of an expression: it is read by functions that call themselves
	maxColumns = 10_000 // that a pipeline takes or makes at any moment
	maxHashed  = 4096   // columns that hash and text make of one: every row pays for them
	maxWords   = 5      // of a run of words
	maxFolds   = 100    // of target_encode
	maxSmooth  = 1e9    // of target_encode
)

// op is an operation: its place in operations.
type op int

const (
	opImpute op = iota
	opScale
	opOneHot
	opOrdinal
	opTargetEncode
	opBucketize
	opHash
	opDatetime
	opText
	opClip
	opLog
	opInteractions
	opExpr
	opSelect
)

// operation is what is known of an op: the kinds of column it takes, the keys it
// knows besides op, in and as, and its strategies, the default first.
type operation struct {
	name       string
	takes      []frame.Kind
	keys       []string
	strategies []string
}

var operations = [...]operation{
	opImpute: {
		name: "impute", takes: []frame.Kind{frame.Number, frame.Text}, keys: []string{"strategy", "value"},
		strategies: []string{"mean", "median", "most_frequent", "constant"},
	},
	opScale:        {"scale", []frame.Kind{frame.Number}, []string{"strategy"}, []string{"standard", "minmax", "robust"}},
	opOneHot:       {"one_hot", []frame.Kind{frame.Text}, []string{"at_least"}, nil},
	opOrdinal:      {"ordinal", []frame.Kind{frame.Text}, []string{"at_least", "by"}, nil},
	opTargetEncode: {"target_encode", []frame.Kind{frame.Text}, []string{"smooth", "folds"}, nil},
	opBucketize:    {"bucketize", []frame.Kind{frame.Number}, []string{"strategy", "bins", "edges"}, []string{"quantile", "uniform"}},
	opHash:         {"hash", []frame.Kind{frame.Text}, []string{"features"}, nil},
	opDatetime:     {"datetime", []frame.Kind{frame.Time}, []string{"parts", "cyclic"}, nil},
	opText:         {"text", []frame.Kind{frame.Text}, []string{"features", "ngrams"}, nil},
	opClip:         {"clip", []frame.Kind{frame.Number}, []string{"min", "max"}, nil},
	opLog:          {"log", []frame.Kind{frame.Number}, []string{"strategy"}, []string{"log", "log1p"}},
	opInteractions: {"interactions", []frame.Kind{frame.Number}, nil, nil},
	opExpr:         {"expr", nil, []string{"expr"}, nil},
	opSelect:       {"select", []frame.Kind{frame.Number, frame.Text, frame.Time}, nil, nil},
}

func (o operation) kinds() string {
	words := make([]string, len(o.takes))
	for i, k := range o.takes {
		words[i] = k.String()
	}
	return unit.List(words)
}

// dateParts are what datetime can take out of a time, in UTC: weekday 0 is Monday,
// yearday 1 is the first of January.
var dateParts = []string{"year", "month", "day", "weekday", "hour", "minute", "yearday"}

// clone is a copy that shares nothing with s, with whole numbers as float64, which
// is how they come back from JSON.
func (s Spec) clone() (Spec, error) {
	out := Spec{Inputs: slices.Clone(s.Inputs), Steps: slices.Clone(s.Steps)}
	for _, in := range s.Inputs {
		if !utf8.ValidString(in.Name) {
			return out, fault.New(fault.Invalid, "the name of the input %q is not UTF-8", in.Name)
		}
	}
	for i := range out.Steps {
		t := &out.Steps[i]
		t.In, t.Edges, t.Parts = slices.Clone(t.In), slices.Clone(t.Edges), slices.Clone(t.Parts)
		t.Words = slices.Clone(t.Words)
		t.Min, t.Max = copyOf(t.Min), copyOf(t.Max)
		if x, ok := toNumber(t.Value); ok {
			t.Value = x
		}
		for _, text := range append([]string{t.As, t.Expr}, t.In...) {
			if !utf8.ValidString(text) {
				return out, fault.New(fault.Invalid, "step %d: %q is not UTF-8", i+1, text)
			}
		}
	}
	return out, nil
}

func copyOf(x *float64) *float64 {
	if x == nil {
		return nil
	}
	return new(*x)
}

func toNumber(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, !math.IsNaN(x) && !math.IsInf(x, 0)
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// check looks at one step by itself.
func (s Step) check(i int) (op, error) {
	o := op(slices.IndexFunc(operations[:], func(o operation) bool { return o.name == s.Op }))
	if o < 0 {
		return o, unknownOp(i, s.Op)
	}
	for _, key := range s.keys() {
		if !slices.Contains(operations[o].keys, key) {
			return o, fault.New(fault.Invalid, "step %d: %s knows no key %q", i+1, s.Op, key).
				Do("it knows %s", unit.List(append([]string{"in", "as"}, operations[o].keys...)))
		}
	}
	for k, name := range s.In {
		if slices.Contains(s.In[:k], name) {
			return o, fault.New(fault.Invalid, "step %d: %s reads the column %q twice", i+1, s.Op, name)
		}
	}
	switch {
	case o == opExpr && (s.As == "" || s.Expr == "" || len(s.In) > 0):
		return o, fault.New(fault.Invalid, "step %d: expr takes as and expr, and no in", i+1)
	case o != opExpr && len(s.In) == 0:
		return o, fault.New(fault.Invalid, "step %d: %s needs in, the columns it reads", i+1, s.Op)
	case len(s.Expr) > maxExpr:
		return o, fault.New(fault.Invalid, "step %d: an expression of %d bytes is longer than %d", i+1, len(s.Expr), maxExpr).Do("make it several steps")
	case s.As != "" && (o == opSelect || o == opInteractions):
		return o, fault.New(fault.Invalid, "step %d: %s names nothing and takes no as", i+1, s.Op)
	case o == opInteractions && len(s.In) < 2:
		return o, fault.New(fault.Invalid, "step %d: interactions needs two columns or more", i+1)
	case s.As != "" && len(s.In) > 1:
		return o, fault.New(fault.Invalid, "step %d: as names the result of one column, and in has %d", i+1, len(s.In)).Do("make it a step for each")
	case s.Strategy != "" && !slices.Contains(operations[o].strategies, s.Strategy):
		return o, s.unknown(i, "strategy", s.Strategy, operations[o].strategies)
	}
	return o, s.checkKeys(i, o)
}

func unknownOp(i int, name string) error {
	names := make([]string, len(operations))
	for k, o := range operations {
		names[k] = o.name
	}
	e := fault.New(fault.Invalid, "step %d: there is no operation %q", i+1, name)
	if near := unit.Nearest(name, names); near != "" {
		return e.Do("did you mean %s?", near)
	}
	return e.Do("use %s", unit.List(names))
}

func (s Step) unknown(i int, key, value string, words []string) error {
	e := fault.New(fault.Invalid, "step %d: %s does not know the %s %q", i+1, s.Op, key, value)
	if near := unit.Nearest(value, words); near != "" {
		return e.Do("did you mean %s?", near)
	}
	return e.Do("use %s", unit.List(words))
}

// keys are the keys that the step sets, besides op, in and as.
func (s Step) keys() []string {
	var out []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"strategy", s.Strategy != ""},
		{"value", s.Value != nil},
		{"at_least", s.AtLeast != 0},
		{"by", s.By != ""},
		{"bins", s.Bins != 0},
		{"edges", len(s.Edges) > 0},
		{"parts", len(s.Parts) > 0},
		{"min", s.Min != nil},
		{"max", s.Max != nil},
		{"expr", s.Expr != ""},
		{"cyclic", s.Cyclic},
		{"features", s.Features != 0},
		{"ngrams", len(s.Words) > 0},
		{"smooth", s.Smooth != 0},
		{"folds", s.Folds != 0},
	} {
		if k.set {
			out = append(out, k.name)
		}
	}
	return out
}

func (s Step) checkKeys(i int, o op) error {
	finite := func(x *float64) bool { return x == nil || !math.IsNaN(*x) && !math.IsInf(*x, 0) }
	switch {
	case o == opImpute && (s.Strategy == "constant") != (s.Value != nil):
		return fault.New(fault.Invalid, "step %d: impute takes value with strategy constant, and only then", i+1)
	case s.By != "" && s.By != "value" && s.By != "frequency":
		return s.unknown(i, "by", s.By, []string{"value", "frequency"})
	case s.AtLeast < 0:
		return fault.New(fault.Invalid, "step %d: at_least is a number of rows, not %d", i+1, s.AtLeast)
	case o == opBucketize && ((s.Bins != 0) == (len(s.Edges) > 0) || s.Bins < 0 || s.Bins == 1 || s.Bins > 1000):
		return fault.New(fault.Invalid, "step %d: bucketize takes bins (2 to 1000) or edges", i+1)
	case o == opBucketize && len(s.Edges) > 0 && s.Strategy != "":
		return fault.New(fault.Invalid, "step %d: bucketize takes strategy with bins; edges are given", i+1)
	case o == opBucketize && !rising(s.Edges):
		return fault.New(fault.Invalid, "step %d: the edges of bucketize must rise and be finite", i+1)
	case o == opClip && (s.Min == nil && s.Max == nil || s.Min != nil && s.Max != nil && *s.Min > *s.Max):
		return fault.New(fault.Invalid, "step %d: clip needs min or max, and min not above max", i+1)
	case !finite(s.Min) || !finite(s.Max):
		return fault.New(fault.Invalid, "step %d: min and max of clip must be finite", i+1)
	case o == opDatetime && len(s.Parts) == 0:
		return fault.New(fault.Invalid, "step %d: datetime needs parts", i+1).Do("use some of %s", strings.Join(dateParts, ", "))
	case s.Cyclic && slices.Contains(s.Parts, "year"):
		return fault.New(fault.Invalid, "step %d: a year does not come again and cannot be cyclic", i+1).Do("make it a step of its own")
	case (o == opHash || o == opText) && (s.Features < 1 || s.Features > maxHashed):
		return fault.New(fault.Invalid, "step %d: %s needs features, how many columns it makes: 1 to %d", i+1, s.Op, maxHashed)
	case len(s.Words) > 0 && (len(s.Words) != 2 || s.Words[0] < 1 || s.Words[1] < s.Words[0] || s.Words[1] > maxWords):
		return fault.New(fault.Invalid, "step %d: ngrams are the fewest and the most words of a run, such as [1, 2], up to %d", i+1, maxWords)
	case !(s.Smooth >= 0 && s.Smooth <= maxSmooth):
		return fault.New(fault.Invalid, "step %d: smooth is a number of rows, up to %g, not %g", i+1, float64(maxSmooth), s.Smooth)
	case s.Folds != 0 && (s.Folds < 2 || s.Folds > maxFolds):
		return fault.New(fault.Invalid, "step %d: folds are 2 to %d, not %d", i+1, maxFolds, s.Folds)
	}
	for k, p := range s.Parts {
		if !slices.Contains(dateParts, p) {
			return s.unknown(i, "part", p, dateParts)
		}
		if slices.Contains(s.Parts[:k], p) {
			return fault.New(fault.Invalid, "step %d: the part %q stands twice", i+1, p)
		}
	}
	return nil
}

// checkKind looks at what a step asks of one column's kind.
func (s *step) checkKind(i int, c column) error {
	if s.op != opImpute {
		return nil
	}
	_, number := toNumber(s.spec.Value)
	word, text := s.spec.Value.(string)
	switch {
	case c.Kind == frame.Text && s.spec.Strategy != "constant" && s.spec.Strategy != "most_frequent":
		return fault.New(fault.Invalid, "step %d: %q is text and has no mean or median", i+1, c.Name).Do("use strategy: most_frequent or constant")
	case s.spec.Strategy != "constant":
		return nil
	case c.Kind == frame.Text && (!text || !utf8.ValidString(word)):
		return fault.New(fault.Invalid, "step %d: %q is text, and value: %v is not", i+1, c.Name, s.spec.Value)
	case c.Kind == frame.Number && !number:
		return fault.New(fault.Invalid, "step %d: %q is a number, and value: %v is not", i+1, c.Name, s.spec.Value)
	}
	return nil
}

// rising reports whether the values rise and are finite.
func rising(v []float64) bool {
	for k, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) || k > 0 && x <= v[k-1] {
			return false
		}
	}
	return true
}
