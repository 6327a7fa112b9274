// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/data/frame"
)

// Change is one way in which a snapshot differs from another, in words.
type Change struct {
	Kind   string `json:"kind"`             // schema, rows or values
	Column string `json:"column,omitempty"` // empty: of the rows
	Text   string `json:"text"`
}

// How far figures move before a change is told. They are for a reader, and judge nothing.
const (
	movedShare = 0.02 // of rows that are missing, or have a value
	movedLevel = 0.1  // of a median, in the distance between the 5 % and 95 % quantiles before
)

// Diff says what the second snapshot has that the first had not: columns, rows, and how
// the values of each column are distributed. It reads their manifests alone.
func Diff(from, to Snapshot) []Change {
	out := schemas(from.Schema, to.Schema)
	tell := func(kind, column, format string, args ...any) {
		out = append(out, Change{kind, column, fmt.Sprintf(format, args...)})
	}
	if from.Count != to.Count {
		tell("rows", "", "%d rows, %d before (%s)", to.Count, from.Count, grown(from.Count, to.Count))
	}
	if a, b := share(from.Labelled, from.Count), share(to.Labelled, to.Count); math.Abs(a-b) >= movedShare {
		tell("rows", "", "%s of the rows have a label, %s before", percent(b), percent(a))
	}
	if !from.Watermark.Equal(to.Watermark) && !to.Watermark.IsZero() {
		tell("rows", "", "labels are known until %s", to.Watermark.Format("2006-01-02 15:04"))
	}
	for _, b := range to.Columns {
		i := slices.IndexFunc(from.Columns, func(a ColumnProfile) bool { return a.Name == b.Name })
		if i >= 0 && kindIn(from.Schema, b.Name) == kindIn(to.Schema, b.Name) {
			for _, text := range values(from.Columns[i], b, from.Count, to.Count, kindIn(to.Schema, b.Name)) {
				tell("values", b.Name, "%s", text)
			}
		}
	}
	return out
}

func schemas(from, to []frame.Field) []Change {
	var out []Change
	for _, f := range to {
		switch was := kindIn(from, f.Name); was {
		case f.Kind:
		case 0:
			out = append(out, Change{"schema", f.Name, "new, holds " + kindWord(f.Kind)})
		default:
			out = append(out, Change{"schema", f.Name, "holds " + kindWord(f.Kind) + ", " + kindWord(was) + " before"})
		}
	}
	for _, f := range from {
		if kindIn(to, f.Name) == 0 {
			out = append(out, Change{"schema", f.Name, "is gone"})
		}
	}
	return out
}

func kindIn(fields []frame.Field, name string) frame.Kind {
	for _, f := range fields {
		if f.Name == name {
			return f.Kind
		}
	}
	return 0
}

// values says how the values of a column of n rows differ from those of m rows before.
func values(a, b ColumnProfile, m, n int, kind frame.Kind) (out []string) {
	if x, y := share(a.Missing, m), share(b.Missing, n); math.Abs(x-y) >= movedShare || (a.Missing == 0) != (b.Missing == 0) {
		out = append(out, fmt.Sprintf("%s are missing, %s before", percent(y), percent(x)))
	}
	switch kind {
	case frame.Number:
		out = append(out, levels(a, b)...)
	case frame.Time:
		if !a.To.Equal(b.To) || !a.From.Equal(b.From) {
			form := "2006-01-02"
			out = append(out, fmt.Sprintf("from %s to %s, %s to %s before", b.From.Format(form), b.To.Format(form), a.From.Format(form), a.To.Format(form)))
		}
	case frame.Text:
		out = append(out, words(a, b, m, n)...)
	}
	return out
}

func levels(a, b ColumnProfile) (out []string) {
	if len(a.Quantiles) != quantiles+1 || len(b.Quantiles) != quantiles+1 {
		return nil
	}
	const half, low, high = quantiles / 2, 1, quantiles - 1
	was, is := a.Quantiles[half], b.Quantiles[half]
	spread := a.Quantiles[high] - a.Quantiles[low]
	if was != is && math.Abs(is-was) >= movedLevel*spread {
		out = append(out, fmt.Sprintf("the median is %.4g, %.4g before", is, was))
	}
	if wide := b.Quantiles[high] - b.Quantiles[low]; spread > 0 && (wide > 1.25*spread || wide < spread/1.25) {
		out = append(out, fmt.Sprintf("nine of ten values lie from %.4g to %.4g, from %.4g to %.4g before", b.Quantiles[low], b.Quantiles[high], a.Quantiles[low], a.Quantiles[high]))
	}
	if b.Min < a.Min || b.Max > a.Max {
		out = append(out, fmt.Sprintf("all lie from %.4g to %.4g, from %.4g to %.4g before", b.Min, b.Max, a.Min, a.Max))
	}
	return out
}

// words compares the most frequent values of texts.
func words(a, b ColumnProfile, m, n int) (out []string) {
	if len(a.Top) == 0 || len(b.Top) == 0 {
		return nil
	}
	rows := func(top []Top, value string) int {
		for _, t := range top {
			if t.Value == value {
				return t.Rows
			}
		}
		return 0
	}
	all := slices.Clone(b.Top)
	for _, t := range a.Top {
		if rows(b.Top, t.Value) == 0 {
			all = append(all, Top{t.Value, 0})
		}
	}
	for _, t := range all {
		was, is := rows(a.Top, t.Value), rows(b.Top, t.Value)
		x, y := share(was, m), share(is, n)
		switch {
		case was == 0 && a.Distinct <= maxTop:
			out = append(out, fmt.Sprintf("%q is new, in %s of the rows", clip(t.Value), percent(y)))
		case is == 0 && b.Distinct <= maxTop:
			out = append(out, fmt.Sprintf("%q is gone, in %s of the rows before", clip(t.Value), percent(x)))
		case was > 0 && is > 0 && math.Abs(x-y) >= movedShare:
			out = append(out, fmt.Sprintf("%q is in %s of the rows, %s before", clip(t.Value), percent(y), percent(x)))
		}
	}
	return out
}

func share(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

func percent(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(100*x, 'f', 1, 64), ".0") + " %"
}

func grown(from, to int) string {
	if from == 0 {
		return "all new"
	}
	return fmt.Sprintf("%+.1f %%", 100*(float64(to)/float64(from)-1))
}
