// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"math"
	"slices"

	"flyball/fault"
)

// dateParts are what datetime can take out of a time, in UTC: weekday 0 is Monday,
// yearday 1 is the first of January.
var dateParts = []string{"year", "month", "day", "weekday", "hour", "minute", "yearday"}

// check looks at one step by itself.
func (s Step) check(i int) error {
	op, known := operationOf(s.Op)
	if !known {
		return fault.New(fault.Invalid, "step %d: there is no operation %q", i+1, s.Op).
			Do("use impute, scale, one_hot, ordinal, bucketize, datetime, clip, expr or select")
	}
	for _, key := range s.keys() {
		if !slices.Contains(op.keys, key) {
			return fault.New(fault.Invalid, "step %d: %s knows no key %q", i+1, s.Op, key)
		}
	}
	switch {
	case s.Op == "expr" && (s.As == "" || s.Expr == "" || len(s.In) > 0):
		return fault.New(fault.Invalid, "step %d: expr takes as and expr, and no in", i+1)
	case s.Op != "expr" && len(s.In) == 0:
		return fault.New(fault.Invalid, "step %d: %s needs in, the columns it reads", i+1, s.Op)
	case s.As != "" && (s.Op == "select" || len(s.In) > 1):
		return fault.New(fault.Invalid, "step %d: as names one result; %s makes several", i+1, s.Op)
	}
	return s.checkKeys(i)
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
	} {
		if k.set {
			out = append(out, k.name)
		}
	}
	return out
}

func (s Step) checkKeys(i int) error {
	bad := func(key string, v any) *fault.Error {
		return fault.New(fault.Invalid, "step %d: %s does not know %s: %v", i+1, s.Op, key, v)
	}
	strategies := map[string][]string{
		"impute": {"", "mean", "median", "most_frequent", "constant"}, "scale": {"", "standard", "minmax", "robust"},
		"bucketize": {"", "quantile", "uniform"},
	}
	if list, ok := strategies[s.Op]; ok && !slices.Contains(list, s.Strategy) {
		return bad("strategy", s.Strategy).Do("use one of %v", list[1:])
	}
	switch s.Op {
	case "impute":
		if (s.Strategy == "constant") != (s.Value != nil) {
			return fault.New(fault.Invalid, "step %d: impute takes value with strategy constant, and only then", i+1)
		}
	case "ordinal":
		if s.By != "" && s.By != "value" && s.By != "frequency" {
			return bad("by", s.By)
		}
	case "bucketize":
		if (s.Bins > 0) == (len(s.Edges) > 0) || s.Bins < 0 || s.Bins == 1 || s.Bins > 1000 {
			return fault.New(fault.Invalid, "step %d: bucketize takes bins (2 to 1000) or edges", i+1)
		}
		for k, e := range s.Edges {
			if math.IsNaN(e) || math.IsInf(e, 0) || k > 0 && e <= s.Edges[k-1] {
				return fault.New(fault.Invalid, "step %d: the edges of bucketize rise", i+1)
			}
		}
	case "datetime":
		if len(s.Parts) == 0 {
			return fault.New(fault.Invalid, "step %d: datetime needs parts", i+1).Do("use some of %v", dateParts)
		}
		for k, p := range s.Parts {
			if !slices.Contains(dateParts, p) || slices.Contains(s.Parts[:k], p) {
				return bad("part", p).Do("use some of %v, each once", dateParts)
			}
		}
	case "clip":
		if s.Min == nil && s.Max == nil || s.Min != nil && s.Max != nil && *s.Min > *s.Max {
			return fault.New(fault.Invalid, "step %d: clip needs min or max, and min below max", i+1)
		}
	}
	if s.AtLeast < 0 {
		return bad("at_least", s.AtLeast)
	}
	return nil
}
