// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"flyball/data/frame"
	"flyball/serving/prediction"
)

// Window is the counts of the rows of a stretch of time on a profile's bins. Counts
// are additive: hours make a day. Rows are those of one version.
type Window struct {
	Model    string    `json:"model"`
	Version  int       `json:"version"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Rows     int       `json:"rows"`
	Features []Counts  `json:"features"`
	Score    *Counts   `json:"score,omitempty"` // nil: the profile has no scores
}

// Counts is one feature in a window.
type Counts struct {
	Name    string `json:"name"`
	Bins    []int  `json:"bins"` // as Feature.Counts
	Missing int    `json:"missing,omitempty"`
	Wrong   int    `json:"wrong,omitempty"`   // values of another type, such as a text where a number is asked for
	New     int    `json:"new,omitempty"`     // outside min…max, or not in the vocabulary
	Far     int    `json:"far,omitempty"`     // of them, numbers further outside than the range is wide, such as -999
	Sample  string `json:"sample,omitempty"`  // one new value, a far one where there is one
	Strange string `json:"strange,omitempty"` // one wrong value
	First   string `json:"first,omitempty"`   // the first value
	Varies  bool   `json:"varies,omitempty"`  // there are others
}

// rows is the number of rows with a value.
func (c *Counts) rows() int { return sum(c.Bins) }

// grouped is the counts on the feature's groups of bins.
func (c *Counts) grouped(f *Feature) []int {
	out := make([]int, f.groups())
	for i, n := range c.Bins {
		out[f.Groups[i]] += n
	}
	return out
}

// counter counts rows on one profile; it keeps the vocabularies as maps, so that a
// value costs one look-up. It is for one goroutine.
type counter struct {
	profile *Profile
	words   []map[string]int
	rows    rowReader
}

func newCounter(p *Profile) *counter {
	c := &counter{profile: p, words: make([]map[string]int, len(p.Features)), rows: newRowReader(p)}
	for i := range p.Features {
		if p.Features[i].Kind == frame.Text {
			c.words[i] = make(map[string]int, len(p.Features[i].Words))
			for k, w := range p.Features[i].Words {
				c.words[i][w] = k
			}
		}
	}
	return c
}

// Count is the counts of the rows. score is the first output for a row, and nil, or
// not ok, where there is none. Start, End, Model and Version are the caller's to set.
func Count(p *Profile, rows []prediction.Joined, score func(*prediction.Joined) (float64, bool)) Window {
	return newCounter(p).count(rows, score)
}

func (c *counter) count(rows []prediction.Joined, score func(*prediction.Joined) (float64, bool)) Window {
	p := c.profile
	w := Window{Rows: len(rows), Features: make([]Counts, len(p.Features))}
	for i := range p.Features {
		w.Features[i] = Counts{Name: p.Features[i].Name, Bins: make([]int, len(p.Features[i].Counts))}
	}
	if p.Score != nil {
		w.Score = &Counts{Name: p.Score.Name, Bins: make([]int, len(p.Score.Counts))}
	}
	for r := range rows {
		if values, ok := c.rows.read(rows[r].Row); ok {
			for i := range p.Features {
				c.value(&w.Features[i], i, values[i])
			}
		}
		if w.Score != nil && score != nil {
			if s, ok := score(&rows[r]); ok {
				w.Score.number(p.Score, s)
			}
		}
	}
	return w
}

// value counts one value of a row; null and absent are missing, what is of another type
// is wrong.
func (c *counter) value(to *Counts, i int, v any) {
	f := &c.profile.Features[i]
	switch f.Kind {
	case frame.Number:
		if x, ok := number(v); ok {
			to.number(f, x)
			return
		}
	case frame.Text:
		if s, ok := text(v); ok {
			b, known := c.words[i][s]
			if !known {
				b = len(f.Words)
				to.fresh(s)
			}
			to.Bins[b]++
			to.different(s)
			return
		}
	default:
		if v != nil {
			return
		}
	}
	if v == nil {
		to.Missing++
		return
	}
	if to.Wrong++; to.Wrong == 1 {
		raw, _ := json.Marshal(v)
		to.Strange = string(raw[:min(len(raw), 40)])
	}
}

func (c *Counts) number(f *Feature, x float64) {
	if !finite(x) {
		c.Missing++
		return
	}
	if x < f.Min || x > f.Max {
		value := strconv.FormatFloat(x, 'g', 6, 64)
		if width := f.Max - f.Min; x < f.Min-width || x > f.Max+width {
			if c.Far++; c.Far == 1 {
				c.Sample = value
			}
		}
		c.fresh(value)
	}
	c.Bins[f.numberBin(x)]++
	if !c.Varies {
		c.different(strconv.FormatFloat(x, 'g', -1, 64))
	}
}

func (c *Counts) fresh(value string) {
	c.New++
	if c.Sample == "" {
		c.Sample = value[:min(len(value), 40)]
	}
}

func (c *Counts) different(value string) {
	if c.rows() == 1 {
		c.First = value[:min(len(value), maxWord)]
	} else if c.First != value[:min(len(value), maxWord)] {
		c.Varies = true
	}
}

func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case string:
		f, err := strconv.ParseFloat(x, 64)
		return f, err == nil
	}
	return 0, false
}

func text(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}

// Add is the counts of both windows, from the earlier start to the later end. Both
// must be counted on one profile; where they are not, what does not fit of b is left
// out. Neither is changed.
func Add(a, b Window) Window {
	out := a
	if out.Start.IsZero() || !b.Start.IsZero() && b.Start.Before(out.Start) {
		out.Start = b.Start
	}
	if b.End.After(out.End) {
		out.End = b.End
	}
	out.Rows += b.Rows
	out.Features = slices.Clone(a.Features)
	for i := range out.Features {
		if i < len(b.Features) && out.Features[i].Name == b.Features[i].Name {
			out.Features[i] = addCounts(out.Features[i], b.Features[i])
		}
	}
	if a.Score != nil && b.Score != nil {
		s := addCounts(*a.Score, *b.Score)
		out.Score = &s
	}
	return out
}

func addCounts(a, b Counts) Counts {
	if len(a.Bins) != len(b.Bins) {
		return a
	}
	out := a
	none, other := a.rows() == 0, b.rows() == 0
	out.Bins = addInts(slices.Clone(a.Bins), b.Bins)
	out.Missing += b.Missing
	out.Wrong += b.Wrong
	out.Strange = cmp.Or(a.Strange, b.Strange)
	out.New += b.New
	out.Far += b.Far
	if out.Sample == "" || a.Far == 0 && b.Far > 0 {
		out.Sample = b.Sample
	}
	switch {
	case none:
		out.First, out.Varies = b.First, b.Varies
	case !other:
		out.Varies = a.Varies || b.Varies || a.First != b.First
	}
	return out
}
