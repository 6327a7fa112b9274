// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"flyball/bench/document"
	"flyball/loop/rehearse"
)

// tables are what came out, in Markdown: each history by its own policy against those that
// need no judgement, and then other policies on the same rows.
func tables(w io.Writer, all []rehearsed) {
	fmt.Fprintln(w, "| history | metric | served (95 %) | never | always | always, window | baseline | best at each moment | releases | of always |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, h := range all {
		r := h.reports[0]
		fmt.Fprintf(w, "| %s | `%s` | %s | %s | %s | %s | %s | %s | %d | %d |\n", h.name, r.Metric, served(r),
			value(r, rehearse.Never), value(r, rehearse.Always), valueOf(found(r, isWindow)),
			value(r, rehearse.Constant), value(r, rehearse.Best), r.Did.Releases, of(r, rehearse.Always).Releases)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "| history | policy | served (95 %) | better than never (95 %) | better than its always (95 %) | trainings | refused | stayed out | releases | back | findings |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, h := range all {
		for _, r := range h.reports {
			d := r.Did
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %d | %d | %d | %d | %d | %d |\n", h.name, r.Policy, served(r),
				gain(of(r, rehearse.Never)), gain(of(r, rehearse.Always)),
				d.Trainings, d.Refused, d.Kept, d.Releases, d.Back, d.Findings)
		}
	}
}

// served is how good the answers were. There are none where the gate let nothing through.
func served(r rehearse.Report) string {
	if r.Judged == 0 {
		return "no version passed"
	}
	return fmt.Sprintf("%s (%s…%s)", three(r.Served.Value), three(r.Served.Low), three(r.Served.High))
}

func of(r rehearse.Report, name string) rehearse.Score {
	s, _ := found(r, func(n string) bool { return n == name })
	return s
}

func found(r rehearse.Report, is func(string) bool) (rehearse.Score, bool) {
	for _, s := range r.Rivals {
		if is(s.Name) {
			return s, true
		}
	}
	return rehearse.Score{}, false
}

func isWindow(name string) bool { return strings.HasPrefix(name, rehearse.Always+", ") }

func value(r rehearse.Report, name string) string {
	return valueOf(found(r, func(n string) bool { return n == name }))
}

func valueOf(s rehearse.Score, ok bool) string {
	if !ok {
		return "–"
	}
	return three(s.Value)
}

func gain(s rehearse.Score) string {
	if s.Name == "" { // nothing was served
		return "–"
	}
	return fmt.Sprintf("%s (%s…%s)", signed(s.Gain), signed(s.GainLow), signed(s.GainHigh))
}

// three is a number with as many digits as tell.
func three(x float64) string {
	if x >= 10 || x <= -10 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.4f", x)
}

func signed(x float64) string {
	if x < 0 {
		return "−" + three(-x)
	}
	return "+" + three(x)
}

// into writes what was measured into a document.
func into(path string, all []rehearsed) error {
	return document.Write(path, "go run ./bench/rehearse -write docs/rehearsals.md -employment FOLDER", func(w io.Writer) { tables(w, all) })
}
