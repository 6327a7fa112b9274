// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"encoding/json"
	"strconv"
	"strings"

	"flyball/fault"
)

// About is what a model file says of itself besides its trees.
type About struct {
	Version           string   // v3 or v4
	Objective         string   // as it is written, with its settings: "binary sigmoid:1"; empty: the trainer brought its own
	Classes           int      // num_class; 1 but for several classes
	TreesPerIteration int      // as many as there are scores a row
	Features          []string // names of the columns, in order; LightGBM writes _ for blanks
	Infos             []string // one a feature: "[low:high]" of training, "a:b:c" of a categorical one, "none" of one that never varied
	Averaged          bool     // scores are the mean over the iterations, not the sum (boosting: rf)
	Trees             int

	// Categories are what pandas' category columns held, in the order of those columns,
	// each value as JSON; a row's value counts as its place. Nil: there was no pandas.
	Categories [][]json.RawMessage

	// Categorical are the places of the features that were trained as categories.
	Categorical []int

	// Best is how many iterations were best with early stopping; 0: the file does not
	// say. LightGBM's Python saves those iterations alone, and then takes all it finds.
	Best int
}

// ReadAbout reads what a model says of itself. The error is an Invalid fault.
func ReadAbout(b []byte) (About, error) {
	h, l, err := readHeader(string(b))
	if err != nil {
		return About{}, err
	}
	for {
		line, ok := l.next()
		if !ok {
			return About{}, truncated()
		}
		if strings.HasPrefix(line, treeMark) {
			h.about.Trees++
		} else if line == treesEnd {
			break
		}
	}
	return h.about, h.readTail(&l)
}

// The lines between the parts of a file.
const (
	firstLine = "tree"
	treeMark  = "Tree="
	treesEnd  = "end of trees"
)

func truncated() error {
	return fault.New(fault.Invalid, "the LightGBM model has no line %q: it is not whole", treesEnd).
		Do("save it again with Booster.save_model")
}

// header is what stands before the trees.
type header struct {
	about     About
	treeSizes value
	objective value
}

// readHeader reads up to the first tree; that line is the next one.
func readHeader(text string) (header, lines, error) {
	l := lines{rest: text}
	if first, _ := l.next(); first != firstLine {
		return header{}, l, fault.New(fault.Invalid, "the file is not a LightGBM model in text: its first line is %q, not %q", clip(first), firstLine)
	}
	values := map[string]value{}
	for {
		before := l
		line, ok := l.next()
		if !ok {
			return header{}, l, truncated()
		}
		if strings.HasPrefix(line, treeMark) || line == treesEnd {
			l = before
			break
		}
		if key, text, _ := strings.Cut(line, "="); known(key) {
			values[key] = value{text, l.at}
		}
	}
	h := header{treeSizes: values["tree_sizes"], objective: values["objective"]}
	return h, l, h.read(values)
}

// known says whether a line of the header is read.
func known(key string) bool {
	switch key {
	case "version", "num_class", "num_tree_per_iteration", "max_feature_idx", "objective", "average_output", "feature_names", "feature_infos", "tree_sizes":
		return true
	}
	return false
}

func (h *header) read(values map[string]value) error {
	a := &h.about
	version := values["version"]
	if a.Version = strings.Clone(version.text); a.Version != "v3" && a.Version != "v4" {
		return fault.New(fault.Invalid, "the LightGBM model has the format version %q; v3 and v4 are read", clip(a.Version)).
			Do("load it with LightGBM 4 and save it again")
	}
	var err error
	if a.Classes, err = values["num_class"].count("num_class"); err != nil {
		return err
	}
	a.TreesPerIteration = a.Classes
	if v := values["num_tree_per_iteration"]; v.line > 0 {
		if a.TreesPerIteration, err = v.count("num_tree_per_iteration"); err != nil {
			return err
		}
	}
	a.Objective = strings.Clone(strings.TrimSpace(h.objective.text))
	_, a.Averaged = values["average_output"]
	last, err := values["max_feature_idx"].count("max_feature_idx")
	if err != nil {
		return err
	}
	if a.Features, err = words(values["feature_names"], "feature_names", last+1); err != nil {
		return err
	}
	if a.Infos, err = words(values["feature_infos"], "feature_infos", last+1); err != nil {
		return err
	}
	return nil
}

// words are the n words of a line, which share memory of their own.
func words(v value, name string, n int) ([]string, error) {
	v.text = strings.Clone(v.text)
	return list(v, name, nil, n, func(s string) (string, error) { return s, nil })
}

// readTail reads what stands after the trees.
func (h *header) readTail(l *lines) error {
	a := &h.about
	is := make([]bool, len(a.Infos))
	for i, info := range a.Infos {
		is[i] = info != "none" && !strings.HasPrefix(info, "[")
	}
	for line, ok := l.next(); ok; line, ok = l.next() {
		if text, ok := strings.CutPrefix(line, "[categorical_feature:"); ok {
			mark(is, strings.TrimSuffix(text, "]"))
		}
		if text, ok := strings.CutPrefix(line, "pandas_categorical:"); ok {
			if err := json.Unmarshal([]byte(text), &a.Categories); err != nil {
				return fault.Wrap(err, fault.Invalid, "line %d of the LightGBM model: pandas_categorical is not lists in JSON", l.at)
			}
		}
	}
	for i, categorical := range is {
		if categorical {
			a.Categorical = append(a.Categorical, i)
		}
	}
	return nil
}

// mark sets the places that the parameter categorical_feature lists. It may hold names
// instead; then the features' own infos have to do.
func mark(is []bool, list string) {
	for word := range strings.SplitSeq(list, ",") {
		if at, err := strconv.Atoi(strings.TrimSpace(word)); err == nil && at >= 0 && at < len(is) {
			is[at] = true
		}
	}
}
