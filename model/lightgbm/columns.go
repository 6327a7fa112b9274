// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/data/frame"
	"flyball/fault"
)

// column is a feature as a frame has it, and the numbers that stand for its values
// where pandas had categories. A value that is no category is a missing one.
type column struct {
	frame.Field
	texts   map[string]float64
	numbers map[float64]float64
}

// size is about how many bytes a column takes.
func (c *column) size() int64 {
	return int64(80 + len(c.Name) + 48*len(c.texts) + 32*len(c.numbers))
}

// columns are the features with their categories. Python's Booster.predict gives a
// category column its codes by the order of training (_data_from_pandas in
// python-package/lightgbm/basic.py); the file has the order, and not which columns they
// were. They are the categorical features, unless one was made so by hand.
func columns(a About) ([]column, error) {
	if name, ok := twice(a.Features); ok {
		return nil, fault.New(fault.Invalid, "two features of the LightGBM model have the name %q", clip(name))
	}
	out := make([]column, len(a.Features))
	for i, name := range a.Features {
		out[i].Field = frame.Field{Name: name, Kind: frame.Number}
	}
	if len(a.Categories) == 0 {
		return out, nil
	}
	if len(a.Categories) != len(a.Categorical) {
		return nil, ambiguous(a, "%d of its features are categorical", len(a.Categorical))
	}
	for i, at := range a.Categorical {
		if high := highest(a.Infos[at]); high >= len(a.Categories[i]) {
			return nil, ambiguous(a, "feature %q has the category %d, and list %d of pandas has %d", a.Features[at], high, i, len(a.Categories[i]))
		}
		if err := out[at].read(a.Categories[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// twice is a name that stands twice.
func twice(names []string) (string, bool) {
	sorted := slices.Sorted(slices.Values(names))
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			return sorted[i], true
		}
	}
	return "", false
}

func ambiguous(a About, format string, args ...any) error {
	return fault.New(fault.Invalid, "the LightGBM model holds categories of %d pandas columns, and which those are cannot be told: "+format,
		append([]any{len(a.Categories)}, args...)...).
		Do("train with categorical_feature='auto' and unordered categories, or with the categories' numbers")
}

// highest is the largest category of a feature_info such as -1:0:2; -1 where there is
// none.
func highest(info string) int {
	high := -1
	for s := range strings.SplitSeq(info, ":") {
		if n, err := strconv.Atoi(s); err == nil {
			high = max(high, n)
		}
	}
	return high
}

// read makes the column one of categories: texts, or numbers and truth values.
func (c *column) read(categories []json.RawMessage) error {
	c.numbers = map[float64]float64{}
	for i, raw := range categories {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return fault.Wrap(err, fault.Invalid, "category %d of column %q is not JSON", i, c.Name)
		}
		code := float64(i)
		switch v := v.(type) {
		case string:
			if c.texts == nil {
				c.texts, c.Kind = make(map[string]float64, len(categories)), frame.Text
			}
			c.texts[v] = code
		case float64:
			c.numbers[v] = code
		case bool:
			if v {
				c.numbers[1] = code
			} else {
				c.numbers[0] = code
			}
		default:
			return fault.New(fault.Invalid, "category %d of column %q is %s, which no column holds", i, c.Name, clip(string(raw)))
		}
		if c.texts != nil && len(c.numbers) > 0 {
			return fault.New(fault.Invalid, "the categories of column %q are texts and numbers", c.Name)
		}
	}
	return nil
}

// at is row i of a column of a frame as a number.
func (c *column) at(from *frame.Column, i int) float64 {
	switch {
	case c.texts != nil:
		if code, ok := c.texts[from.Text[i]]; ok && !from.Missing(i) {
			return code
		}
		return math.NaN()
	case c.numbers != nil:
		if code, ok := c.numbers[from.Num[i]]; ok {
			return code
		}
		return math.NaN()
	}
	return from.Num[i]
}

// find gives the model's columns of a frame, in the order of the features. One that is
// absent or of another kind is an Invalid fault.
func (m *Model) find(rows *frame.Frame) ([]*frame.Column, error) {
	out := make([]*frame.Column, len(m.columns))
	for i := range m.columns {
		c := rows.Column(m.columns[i].Name)
		if c == nil {
			return nil, fault.New(fault.Invalid, "there is no column %q", m.columns[i].Name)
		}
		if c.Kind != m.columns[i].Kind {
			return nil, fault.New(fault.Invalid, "column %q holds %ss, the model takes %ss", c.Name, c.Kind, m.columns[i].Kind)
		}
		out[i] = c
	}
	return out, nil
}
