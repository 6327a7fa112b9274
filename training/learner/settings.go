// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"flyball/fault"
	"flyball/unit"
)

// gbdt reads the settings of builtin/gbdt.
func (r *reader) gbdt() *gbdt {
	return &gbdt{
		trees: r.whole("trees", 100, 1, 100_000), depth: r.whole("depth", 6, 1, 16), bins: r.whole("bins", 254, 2, 254),
		rate: r.number("learning_rate", 0.1, 1e-6, 1), lambda: r.number("lambda", 1, 0, 1e9), alpha: r.number("alpha", 0, 0, 1e9),
		gamma: r.number("gamma", 0, 0, 1e9), minWeight: r.number("min_child_weight", 1, 0, 1e9),
		rows: r.number("subsample", 1, 0.01, 1), columns: r.number("colsample", 1, 0.01, 1), longest: r.number("max_delta_step", 0, 0, 1e9),
		objective: r.word("objective", "squared", "absolute", "quantile", "poisson"), level: r.number("quantile", 0.5, 0.001, 0.999),
		patience: r.whole("early_stopping", 0, 0, 100_000), held: r.number("validation", 0.1, 0.01, 0.5),
		categorical: r.names("categorical"), monotone: r.ways("monotone"), classes: r.classWeight(),
	}
}

// linear reads the settings of builtin/linear.
func (r *reader) linear() *linearModel {
	return &linearModel{
		l2: r.number("l2", 1, 0, 1e12), standardize: r.truth("standardize", true),
		objective: r.word("objective", "squared", "poisson"), classes: r.classWeight(),
	}
}

// reader takes settings that came from YAML or JSON apart, and keeps the first
// complaint.
type reader struct {
	with     string
	settings map[string]any
	known    []string
	err      error
}

func (r *reader) number(key string, or, low, high float64) float64 {
	r.known = append(r.known, key)
	v, ok := r.settings[key]
	if !ok {
		return or
	}
	x, _ := asNumber(v)
	if !(x >= low && x <= high) && r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s is %v; it lies between %v and %v", key, r.with, v, low, high)
	}
	return x
}

// refuse keeps the first complaint.
func (r *reader) refuse(key, format string, args ...any) {
	if r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s %s", key, r.with, fmt.Sprintf(format, args...))
	}
}

// truth is true or false.
func (r *reader) truth(key string, or bool) bool {
	r.known = append(r.known, key)
	v, ok := r.settings[key]
	if !ok {
		return or
	}
	b, ok := v.(bool)
	if !ok {
		r.refuse(key, "is %v; it is true or false", v)
	}
	return b
}

// word is one of words; empty: it is not set.
func (r *reader) word(key string, words ...string) string {
	r.known = append(r.known, key)
	v, ok := r.settings[key]
	if !ok {
		return ""
	}
	s, _ := v.(string)
	if !slices.Contains(words, s) {
		r.refuse(key, "is %v; it is one of %s", v, unit.List(words))
	}
	return s
}

// name is a column that must be named.
func (r *reader) name(key string) string {
	r.known = append(r.known, key)
	s, ok := r.settings[key].(string)
	if !ok || s == "" {
		r.refuse(key, "is %v; it names a column", r.settings[key])
	}
	return s
}

// names is a list of features, or one.
func (r *reader) names(key string) []string {
	r.known = append(r.known, key)
	var out []string
	switch v := r.settings[key].(type) {
	case nil:
	case string:
		out = []string{v}
	case []string:
		out = v
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				r.refuse(key, "is %v; it is a list of features", v)
			}
			out = append(out, s)
		}
	default:
		r.refuse(key, "is %v; it is a list of features", v)
	}
	return out
}

// ways is which features a score rises with, 1, or falls with, -1.
func (r *reader) ways(key string) map[string]int {
	r.known = append(r.known, key)
	v, ok := r.settings[key]
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		r.refuse(key, "is %v; it gives 1 or -1 to features, as {age: 1}", v)
	}
	out := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		way, ok := asNumber(m[name])
		if !ok || way != 1 && way != -1 && way != 0 {
			r.refuse(key, "gives %v to %s; it is 1 where the score rises with it and -1 where it falls", m[name], name)
			continue
		}
		out[name] = int(way)
	}
	return out
}

// classWeight is balanced, or a list of numbers.
func (r *reader) classWeight() classWeights {
	const key = "class_weight"
	r.known = append(r.known, key)
	var c classWeights
	switch v := r.settings[key].(type) {
	case nil:
	case string:
		if c.balanced = v == "balanced"; !c.balanced {
			r.refuse(key, "is %s; it is balanced, or a list of numbers", v)
		}
	case []any:
		for _, e := range v {
			x, ok := asNumber(e)
			if !ok || !(x > 0) || math.IsInf(x, 0) {
				r.refuse(key, "has %v; it is balanced, or a list of numbers above 0", e)
			}
			c.by = append(c.by, x)
		}
	default:
		r.refuse(key, "is %v; it is balanced, or a list of numbers", v)
	}
	return c
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return math.NaN(), false
}

func (r *reader) whole(key string, or, low, high int) int {
	x := r.number(key, float64(or), float64(low), float64(high))
	if x != math.Trunc(x) && r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s is %v; it is a whole number", key, r.with, x)
	}
	return int(x)
}

// done tells of the first setting, by name, that was not asked for.
func (r *reader) done() error {
	for _, key := range slices.Sorted(maps.Keys(r.settings)) {
		if slices.Contains(r.known, key) {
			continue
		}
		f := fault.New(fault.Invalid, "%s knows no setting %q", r.with, key)
		switch near := unit.Nearest(key, r.known); {
		case near != "":
			return f.Do("did you mean %s? it knows %s", near, unit.List(r.known))
		case len(r.known) > 0:
			return f.Do("it knows %s", unit.List(r.known))
		}
		return f.Do("it has no settings")
	}
	return r.err
}
