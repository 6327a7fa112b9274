// SPDX-License-Identifier: Apache-2.0

package web

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/event"
	"flyball/experiment/compare"
	"flyball/fault"
	"flyball/unit"
)

func short(id string) string { return id[:min(len(id), 8)] }

// clip is a text of at most n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// middle is a text of at most n characters: what is left out is in its middle, since
// long names of metrics and params differ at their ends.
func middle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n*2/3]) + "…" + string(r[len(r)-n+n*2/3+1:])
}

// tick is a name as a clause to sort by takes it, whatever it holds.
func tick(key string) string { return "`" + strings.ReplaceAll(key, "`", "``") + "`" }

// untick is the name of a clause, with or without the quotes.
func untick(key string) string {
	if n := len(key); n >= 2 && key[0] == key[n-1] && (key[0] == '`' || key[0] == '"') {
		return strings.ReplaceAll(key[1:n-1], key[:1]+key[:1], key[:1])
	}
	return key
}

// took is how long a run took.
func took(start, end time.Time) string {
	if start.IsZero() || end.Before(start) {
		return "–"
	}
	d := end.Sub(start)
	switch {
	case d < time.Minute:
		return unit.Fixed(d.Seconds(), 1) + "\u00a0s"
	case d < time.Hour:
		return unit.Fixed(d.Minutes(), 0) + "\u00a0min"
	}
	return unit.Fixed(d.Hours(), 1) + "\u00a0h"
}

// moment is a time as a table shows it; it breaks before the hour alone.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Format("2\u00a0Jan\u00a02006 15:04")
}

// textOf is a param or tag; numbers stand right.
func textOf(s string) cellOf {
	if s == "" {
		return cellOf{Text: "–"}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && len(s) > 10 && v != math.Trunc(v) {
		s = strings.ReplaceAll(strconv.FormatFloat(v, 'g', 6, 64), "-", "−") // the run's own page has all of it
	}
	return cellOf{Text: clip(s, 40), Number: err == nil}
}

// digitsOf is how many digits each column of metrics shows: the same all the way down.
func digitsOf(l compare.List) map[string]int {
	most := map[string]float64{}
	for _, r := range l.Runs {
		for key, v := range r.Metrics {
			if v != nil {
				most[key] = max(most[key], math.Abs(*v))
			}
		}
	}
	out := map[string]int{}
	for key, v := range most {
		out[key] = unit.Digits(v)
	}
	return out
}

// figureOf is a value of a metric. What is too large or too small to be read digit by
// digit is written with an exponent: MLflow keeps infinity as the largest number there
// is.
func figureOf(v float64, digits int) string {
	switch a := math.Abs(v); {
	case a >= 1e15 || a > 0 && digits > 7:
		return strings.ReplaceAll(strconv.FormatFloat(v, 'e', 2, 64), "-", "−")
	case a >= 1e5:
		digits = 0
	}
	return unit.Fixed(v, digits)
}

// alone is a value that stands in no column.
func alone(v *float64) string {
	if v == nil {
		return "not a number"
	}
	return figureOf(*v, unit.Digits(*v))
}

// standOf is the mark of a run that is not over or did not end well.
func standOf(status string) (event.Mark, string) {
	switch status {
	case "RUNNING":
		return event.Move, "running"
	case "SCHEDULED":
		return event.Wait, "scheduled"
	case "FAILED":
		return event.Stop, "failed"
	case "KILLED":
		return event.Off, "killed"
	}
	return "", ""
}

// wide reports whether a table takes more than a small screen is wide, at 7 px a
// character and 12 a column.
func wide(heads []head, rows []row) bool {
	most := make([]int, len(heads)) // the first is the run
	for i, h := range heads {
		most[i] = utf8.RuneCountInString(h.Name)
	}
	for _, r := range rows {
		most[0] = max(most[0], utf8.RuneCountInString(r.Short+r.Name))
		for i, c := range r.Cells {
			most[i+1] = max(most[i+1], utf8.RuneCountInString(c.Text))
		}
	}
	px := 30
	for _, n := range most {
		px += 7*n + 12
	}
	return px > 940
}

// day0 is the beginning of a day that an address names, in UTC.
func day0(text string) (time.Time, error) {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return at, fault.New(fault.Invalid, "%q is no day", clip(text, 40)).Do("write it as 2017-03-16")
	}
	return at, nil
}

// sizeOf is a size in bytes with three digits that count.
func sizeOf(n int64) string {
	x := float64(n)
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if x < 1000 {
			return strconv.FormatFloat(x, 'g', 3, 64) + "\u00a0" + u
		}
		x /= 1000
	}
	return strconv.FormatFloat(x, 'g', 3, 64) + "\u00a0TB"
}
