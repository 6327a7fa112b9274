// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/fault"
	"flyball/unit"
)

// gbdt reads the settings of builtin/gbdt.
func (r *reader) gbdt() *gbdt {
	return &gbdt{
		trees:       r.whole("trees", 100, 1, 100_000, "rounds; with several classes each round adds a tree a class"),
		depth:       r.whole("depth", 6, 1, 16, "of a tree"),
		bins:        r.whole("bins", 254, 2, 254, "into which the values of a feature are put"),
		rate:        r.number("learning_rate", 0.1, 1e-6, 1, "what a tree's leaves are multiplied by"),
		lambda:      r.number("lambda", 1, 0, 1e9, "L2 penalty of leaves"),
		alpha:       r.number("alpha", 0, 0, 1e9, "L1 penalty of leaves"),
		gamma:       r.number("gamma", 0, 0, 1e9, "the least gain of a split"),
		minWeight:   r.number("min_child_weight", 1, 0, 1e9, "the least sum of second derivatives in a child"),
		longest:     r.number("max_delta_step", 0, 0, 1e9, "the longest step of a leaf; 0: any, and 0.7 with `poisson`"),
		rows:        r.number("subsample", 1, 0.01, 1, "share of the rows for each tree"),
		columns:     r.number("colsample", 1, 0.01, 1, "share of the features for each tree"),
		objective:   r.word("objective", "for labels that are numbers; classes have their own", "squared", "absolute", "quantile", "poisson"),
		level:       r.number("quantile", 0.5, 0.001, 0.999, "with `objective: quantile`"),
		patience:    r.whole("early_stopping", 0, 0, 100_000, "ends after so many rounds without gain on the newest rows, which are not trained on; 0: never"),
		held:        r.number("validation", 0.1, 0.01, 0.5, "the share of rows that are held back for `early_stopping`"),
		categorical: r.names("categorical", "whole numbers that are split as sets"),
		monotone:    r.ways("monotone", "1: the score rises with the feature; -1: it falls. Not with `absolute` or `quantile`"),
		classes:     r.classWeight(),
	}
}

// linear reads the settings of builtin/linear.
func (r *reader) linear() *linearModel {
	return &linearModel{
		l2:          r.number("l2", 1, 0, 1e12, "L2 penalty of coefficients"),
		standardize: r.truth("standardize", true, "penalize the coefficients of features scaled to unit variance; false: of features as they are"),
		objective:   r.word("objective", "for labels that are numbers; `poisson`: counts, by the logarithm of their mean", "squared", "poisson"),
		classes:     r.classWeight(),
	}
}

// last reads the settings of builtin/last.
func (r *reader) last() *last { return &last{column: r.name("column", "the column")} }

// learner reads the settings of the learner that with names; nil: there is none.
func (r *reader) learner() Learner {
	switch r.with {
	case "builtin/gbdt":
		return r.gbdt()
	case "builtin/linear":
		return r.linear()
	case "builtin/last":
		return r.last()
	case "builtin/constant":
		return mean{}
	}
	return nil
}

// Trees is how many trees the settings of builtin/gbdt grow at most, and 0 of another
// learner or of settings that New refuses.
func Trees(with string, settings map[string]any) int {
	if l, err := New(with, settings); err == nil {
		if g, ok := l.(*gbdt); ok {
			return g.trees
		}
	}
	return 0
}

// Named is a feature that a setting names.
type Named struct{ Setting, Feature string }

// Features are what the settings name, and nothing where New refuses them.
func Features(with string, settings map[string]any) []Named {
	l, err := New(with, settings)
	if err != nil {
		return nil
	}
	var out []Named
	switch l := l.(type) {
	case *gbdt:
		for _, f := range l.categorical {
			out = append(out, Named{"categorical", f})
		}
		for _, f := range slices.Sorted(maps.Keys(l.monotone)) {
			out = append(out, Named{"monotone", f})
		}
	case *last:
		out = []Named{{"column", l.column}}
	}
	return out
}

// setting is one as docs/trainers.md tells of it.
type setting struct{ name, or, within, what string }

// reader takes settings that came from YAML or JSON apart, and keeps the first
// complaint.
type reader struct {
	with     string
	settings map[string]any
	asked    []setting // every setting that was asked for
	err      error
}

// tell notes that there is a setting.
func (r *reader) tell(key, or, within, what string) {
	r.asked = append(r.asked, setting{key, or, within, what})
}

// plain is a number as somebody would write it.
func plain(x float64) string {
	return strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(strconv.FormatFloat(x, 'g', -1, 64))
}

func (r *reader) number(key string, or, low, high float64, what string) float64 {
	r.tell(key, plain(or), plain(low)+" to "+plain(high), what)
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
func (r *reader) truth(key string, or bool, what string) bool {
	r.tell(key, strconv.FormatBool(or), "true or false", what)
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

// word is one of words, the first where it is left out; empty: it is not set.
func (r *reader) word(key, what string, words ...string) string {
	r.tell(key, "`"+words[0]+"`", "`"+strings.Join(words, "`, `")+"`", what)
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
func (r *reader) name(key, what string) string {
	r.tell(key, "must be given", "a feature", what)
	s, ok := r.settings[key].(string)
	if !ok || s == "" {
		r.refuse(key, "is %v; it names a column", r.settings[key])
	}
	return s
}

// names is a list of features, or one.
func (r *reader) names(key, what string) []string {
	r.tell(key, "none", "features", what)
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
func (r *reader) ways(key, what string) map[string]int {
	r.tell(key, "none", "`{feature: 1}`", what)
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
	r.tell(key, "1 each", "`balanced`, or a number a class", "what the rows of a class weigh")
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

func (r *reader) whole(key string, or, low, high int, what string) int {
	x := r.number(key, float64(or), float64(low), float64(high), what)
	if x != math.Trunc(x) && r.err == nil {
		r.err = fault.New(fault.Invalid, "train.settings.%s of %s is %v; it is a whole number", key, r.with, x)
	}
	return int(x)
}

// done tells of the first setting, by name, that was not asked for.
func (r *reader) done() error {
	known := make([]string, len(r.asked))
	for i, t := range r.asked {
		known[i] = t.name
	}
	for _, key := range slices.Sorted(maps.Keys(r.settings)) {
		if slices.Contains(known, key) {
			continue
		}
		f := fault.New(fault.Invalid, "%s knows no setting %q", r.with, key)
		switch near := unit.Nearest(key, known); {
		case near != "":
			return f.Do("did you mean %s? it knows %s", near, unit.List(known))
		case len(known) > 0:
			return f.Do("it knows %s", unit.List(known))
		}
		return f.Do("it has no settings")
	}
	return r.err
}
