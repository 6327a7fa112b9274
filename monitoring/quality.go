// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"time"

	"flyball/data/frame"
	"flyball/stat"
)

const qualityMonitors = 4 // of a feature: missing, wrong type, unseen or far out of range, out of range

// volume judges the number of rows of one block: against the least that the model
// file asks for, else against half of what the emptiest block of the reference held.
func (s *stepper) volume(rows int, start, end time.Time) {
	least, usual := s.MinRowsPerWindow, 0
	if p := s.Profile; p != nil && p.Volume.Blocks >= 14 && p.Every == s.Policy.Every {
		usual = p.Volume.Median
		if least == 0 {
			least = (p.Volume.Min + 1) / 2
		}
	}
	s.out.Readings = append(s.out.Readings, Reading{
		Kind: Quality, Subject: "rows", Start: start, End: end, Rows: rows, Value: float64(rows), Reference: float64(least), P: 1,
	})
	if rows >= least {
		s.quiet(Quality, "rows", end, 1)
		return
	}
	f := Finding{Kind: Quality, Subject: "rows", Severity: "warn", Opened: end}
	f.Text = "rows missing: " + plural(rows, "row") + " in " + span(end.Sub(start)) + " from " + moment(start) + ", at least " + plural(least, "row") + " asked for"
	if s.Policy.Every.D() == 24*time.Hour && usual == 24 {
		f.Text = "hours missing: " + plural(rows, "row") + " on " + start.Format("2 Jan 2006") + ", at least " + plural(least, "row") + " asked for"
	}
	if s.MinRowsPerWindow == 0 {
		f.Text = "rows missing: " + plural(rows, "row") + " in " + span(end.Sub(start)) + " from " + moment(start) + "; " + plural(usual, "row") + " are usual"
	}
	s.open(f, map[string]any{"rows": rows, "at_least": least, "usual": usual, "start": start, "end": end})
}

// quality judges each feature's missing values, unseen words and far numbers by the
// exact probability of so many at the reference's rate, which is the higher of its
// mean and its worst window.
func (s *stepper) quality(w *Window) {
	p := s.Profile
	alpha := 1 / s.alarmAt(qualityMonitors*len(p.Features), w.End.Sub(w.Start))
	for i := range w.Features {
		c, f := &w.Features[i], &p.Features[i]
		s.share(w, f, "missing", c.Missing, w.Rows, s.missing(i), alpha, "")
		s.share(w, f, "of the wrong type", c.Wrong, w.Rows, Share{Rows: p.Rows}, alpha, c.Strange)
		if f.Kind == frame.Text {
			s.share(w, f, "unseen", c.New, c.rows(), s.newShare(f), alpha, c.Sample)
		} else {
			s.share(w, f, "far out of range", c.Far, c.rows(), Share{Rows: p.Rows}, alpha, c.Sample)
		}
	}
}

// ranges judges numbers outside the reference's range over a grown window. A stream
// sets records of itself, several on one day: so windows are compared that are as
// long as those in which the reference's own records were counted.
func (s *stepper) ranges(w *Window) {
	alpha := 1 / s.alarmAt(qualityMonitors*len(s.Profile.Features), w.End.Sub(w.Start))
	for i := range w.Features {
		if c, f := &w.Features[i], &s.Profile.Features[i]; f.Kind == frame.Number {
			s.share(w, f, "out of range", c.New-c.Far, c.rows(), s.newShare(f), alpha, c.Sample)
		}
	}
}

// newShare is the reference's own share of new values; without windows it had none,
// as nothing in the rows is new to the rows.
func (s *stepper) newShare(f *Feature) Share {
	if f.New.Rows == 0 {
		return Share{Rows: s.Profile.Rows}
	}
	return f.New
}

func (s *stepper) share(w *Window, f *Feature, what string, hits, rows int, ref Share, alpha float64, sample string) {
	subject := f.Name + " " + what
	rate := ref.rate()
	p := stat.BinomialTail(hits, rows, rate)
	got := 0.0
	if rows > 0 {
		got = float64(hits) / float64(rows)
	}
	if hits > 0 {
		s.out.Readings = append(s.out.Readings, Reading{
			Kind: Quality, Subject: subject, Start: w.Start, End: w.End, Rows: rows, Value: got, Reference: rate, P: p,
		})
	}
	if !unusual(hits, rows, ref, alpha) {
		if p > 0.05 || hits < 3 {
			windows := 3
			if what == "unseen" {
				windows = 10 // a word that came once comes again
			}
			s.quiet(Quality, subject, w.End, windows)
		}
		return
	}
	out := Finding{Kind: Quality, Subject: subject, Severity: "warn", Opened: w.End}
	switch {
	case what == "missing" && got >= 0.5:
		out.Severity = "page"
	case what == "out of range":
		out.Severity = "note"
	}
	out.Text = subject + " in " + percent(got) + " of " + plural(rows, "row") + "; at training " + percent(ref.mean())
	if sample != "" {
		out.Text += "; such as " + sample
	}
	s.open(out, map[string]any{"hits": hits, "rows": rows, "reference": rate, "p": p, "alpha": alpha, "start": w.Start, "end": w.End})
}

// rate is the share that is allowed for: the higher of the mean and the worst window.
func (s Share) rate() float64 {
	return max(s.Worst, (float64(s.Hits)+0.5)/(float64(s.Rows)+1))
}

// unusual reports whether so many of the rows are a finding.
func unusual(hits, rows int, ref Share, alpha float64) bool {
	rate := ref.rate()
	return hits >= 3 && float64(hits)/float64(rows)-rate >= 0.005 && stat.BinomialTail(hits, rows, rate) <= alpha
}

func (s Share) mean() float64 {
	if s.Rows == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Rows)
}

// stuck finds features with one value over a whole grown window that had several in
// every window of the reference: distances hardly see that.
func (s *stepper) stuck(w *Window) {
	for i := range w.Features {
		c, f := &w.Features[i], &s.Profile.Features[i]
		subject := f.Name + " stuck"
		if !f.Varies || c.rows() < s.Profile.WindowRows/2 {
			continue
		}
		if c.Varies {
			s.quiet(Quality, subject, w.End, 1)
			continue
		}
		s.open(Finding{
			Kind: Quality, Subject: subject, Severity: "page", Opened: w.End,
			Text: f.Name + " is stuck at " + c.First[:min(len(c.First), 40)] + " over " + plural(c.rows(), "row") + "; it varied in every window at training",
		}, map[string]any{"value": c.First, "rows": c.rows(), "start": w.Start, "end": w.End})
	}
}
