// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/evaluation"
	"flyball/stat"
)

const (
	tolerance = 0.10 // of the metric, where the policy names none
	runMeans  = 64   // windows of a run that are kept
	recent    = 7    // windows whose bias is judged together
	monitors  = 3    // of the score: bias of a window, of a week of them, performance
	sustained = 3    // windows that performance must have been worse over
)

// truths takes in the rows whose truth fell due in the block, and judges the window
// when enough of them have one.
func (s *stepper) truths(start, end time.Time) {
	block := Tally{}
	h := &s.Profile.HeldOut
	for s.dueNext < len(s.due) {
		j := &s.Rows[s.due[s.dueNext]]
		if !j.Due.Before(end) {
			break
		}
		s.dueNext++
		scores := s.scores(&j.Record)
		if scores == nil {
			continue
		}
		block.Due++
		if truth, ok := s.truthOf(j); ok {
			block.add(h.Metric, s.Task.Kind, truth, scores)
		}
	}
	st := &s.out.State
	if st.Due.Due == 0 {
		st.DueFrom = start
	}
	if block.Rows > 0 {
		block.Blocks = 1
	}
	st.Due.join(block)
	if st.Due.Rows < s.Policy.AtLeast {
		if st.Due.Due >= 4*s.Policy.AtLeast && st.Due.Rows*2 < st.Due.Due {
			s.note("truth", "truth", end, nil, "the truth of %d of %s due since %s is not known; score is not judged",
				st.Due.Due-st.Due.Rows, plural(st.Due.Due, "row"), moment(st.DueFrom))
		}
		return
	}
	w, from := st.Due, st.DueFrom
	st.Due, st.DueFrom = Tally{}, time.Time{}
	if h.Blocks < 3 || h.Metric == "" {
		s.note("held out", "score", end, nil, "cannot judge bias and performance: %s of held-out rows to compare with, 3 needed", plural(h.Blocks, "block"))
		return
	}
	if s.Task.Kind != dataset.Multiclass {
		s.bias(w, from, end)
	}
	s.performance(w, from, end)
}

// draws is how many of the reference's blocks a window is worth: a window of fewer
// rows varies more than a block did.
func (s *stepper) draws(w Tally) float64 {
	h := &s.Profile.HeldOut
	return min(float64(max(w.Blocks, 1)), float64(w.Rows)/(float64(h.Rows)/float64(h.Blocks)))
}

// spread is the standard error of a window's mean against the reference's.
func (s *stepper) spread(sd float64, w Tally) float64 {
	return max(1e-12, sd*math.Sqrt(1/s.draws(w)+1/float64(s.Profile.HeldOut.Blocks)))
}

// bias judges the mean of score less truth in two ways: a window against the
// held-out rows, by what their blocks differ by, which sees a jump at once; and the
// newest seven days against none, by their own spread, which sees a small one that
// stays, whatever the held-out weeks were like. A bias below 2 % of the mean truth,
// half a point of a probability, or the held-out one is none.
func (s *stepper) bias(w Tally, from, end time.Time) {
	h, d := &s.Profile.HeldOut, &s.out.State.Bias
	mean := w.Error / float64(w.Rows)
	p := min(1, 2*stat.TTail(math.Abs(mean-h.Bias)/s.spread(h.BiasSD, w), float64(h.Blocks-1)))
	if !s.matters(mean) {
		p = 1
	}
	limit := s.alarmAt(monitors, end.Sub(from))
	d.update(p, from, w.Rows, w.Error)
	d.Suspect.take(d.Evidence, limit)
	s.out.Readings = append(s.out.Readings, Reading{
		Kind: Score, Subject: "bias", Start: from, End: end, Rows: w.Rows, Value: mean, Reference: h.Bias, P: p,
		Evidence: d.Evidence, Alarm: limit, Coverage: w.coverage(),
	})
	week, half, pWeek := s.week(w, from, end)
	f := Finding{Kind: Score, Subject: "bias", Severity: "warn", Trigger: true, Opened: end}
	since := s.out.State.Recent[0].From
	if byWindow := d.Evidence >= limit && p <= 0.25; byWindow {
		week, half, since = d.Sum/float64(max(d.Rows, 1)), d.half(2*s.spread(h.BiasSD, w)), d.From
	}
	f.Text = s.biasText(week, half, end.Sub(since)) + w.known()
	alarm := d.Evidence >= limit && p <= 0.25 || pWeek <= 1/limit
	if s.settle(f, alarm, alarm || p <= 0.25 || pWeek <= 0.05, map[string]any{
		"bias": week, "half": half, "held_out": h.Bias, "p_window": p, "p_week": pWeek, "evidence": d.Evidence, "alarm": limit,
		"start": since, "end": end, "coverage": w.coverage(),
	}) {
		*d = Detector{}
	}
}

// matters reports whether a bias is one worth telling.
func (s *stepper) matters(mean float64) bool {
	h := &s.Profile.HeldOut
	least := 0.02 * h.Truth
	if s.Task.Kind == dataset.Binary {
		least = 0.005
	}
	if mean*h.Bias > 0 { // the same side as the held-out rows
		least = max(least, math.Abs(h.Bias))
	}
	return math.Abs(mean) >= least
}

// week adds the window and tests the newest seven days, or longer windows, against
// no bias. Shorter windows are put together to days first: the hours of a day err in
// ways of their own.
func (s *stepper) week(w Tally, from, end time.Time) (week, half, p float64) {
	st := &s.out.State
	if k := len(st.Recent) - 1; k >= 0 && st.Recent[k].days() < 1 {
		r := &st.Recent[k]
		r.To, r.Rows, r.Sum = end, r.Rows+w.Rows, r.Sum+w.Error
	} else {
		st.Recent = append(st.Recent, WindowBias{From: from, To: end, Rows: w.Rows, Sum: w.Error})
		st.Recent = st.Recent[max(0, len(st.Recent)-recent):]
	}
	values := make([]float64, len(st.Recent))
	for i, r := range st.Recent {
		values[i] = r.Sum / float64(max(r.Rows, 1))
	}
	m := stat.MeanOf(values)
	if len(values) < recent || st.Recent[recent-1].days() < 1 || !s.matters(m.Value) {
		return m.Value, 0, 1
	}
	low, high := m.Interval(0.95)
	return m.Value, (high - low) / 2, min(1, 2*stat.TTail(math.Abs(m.Value)/max(m.SE, 1e-12), m.DF))
}

func (r WindowBias) days() float64 { return r.To.Sub(r.From).Hours() / 24 }

func (s *stepper) biasText(mean, half float64, over time.Duration) string {
	words := [2]string{"too many", "too few"}
	verb := "predicts"
	if s.Task.Kind == dataset.Binary {
		words, verb = [2]string{"too high", "too low"}, "scores"
	}
	word := words[0]
	if mean < 0 {
		word = words[1]
	}
	return fmt.Sprintf("bias: %s %s %s (±%s) over %s; held-out bias was %s", verb, figure(math.Abs(mean)), word,
		figure(half), span(over), signed(s.Profile.HeldOut.Bias))
}

// performance judges the metric on due rows against the held-out value and what the
// policy tolerates.
func (s *stepper) performance(w Tally, from, end time.Time) {
	h := &s.Profile.HeldOut
	by, severity := tolerance*math.Abs(h.Value), "warn"
	if s.Policy.Score != nil && s.Policy.Score.PageIf.By > 0 {
		by, severity = s.Policy.Score.PageIf.By, "page"
		if s.Policy.Score.PageIf.Relative {
			by *= math.Abs(h.Value)
		}
	}
	s.tellBlind(by, end)
	sign := 1.0
	if !evaluation.LowerIsBetter(h.Metric) {
		sign = -1
	}
	value, allowed := w.Loss/float64(w.Rows), h.Value+sign*by
	p := stat.TTail(sign*(value-allowed)/s.spread(h.SD, w), float64(h.Blocks-1))
	d := &s.out.State.Performance
	limit := s.alarmAt(monitors, end.Sub(from))
	d.update(p, from, w.Rows, w.Loss)
	d.Suspect.take(d.Evidence, limit)
	s.out.Readings = append(s.out.Readings, Reading{
		Kind: Score, Subject: h.Metric, Start: from, End: end, Rows: w.Rows, Value: value, Reference: h.Value, P: p,
		Evidence: d.Evidence, Alarm: limit, Coverage: w.coverage(),
	})
	over, half := end.Sub(from), d.half(2*s.spread(h.SD, w))
	if d.Rows > 0 {
		value, over = d.Sum/float64(d.Rows), end.Sub(d.From)
	}
	f := Finding{Kind: Score, Subject: h.Metric, Severity: severity, Trigger: true, Opened: end}
	f.Text = fmt.Sprintf("%s is %s (±%s) over %s, held-out %s; allowed %s%s", h.Metric, figure(value), figure(half),
		span(over), figure(h.Value), figure(allowed), w.known())
	alarm := d.Evidence >= limit && len(d.Means) >= sustained && sign*(value-allowed) > half
	if s.settle(f, alarm, alarm || p <= 0.25, map[string]any{
		"value": value, "half": half, "held_out": h.Value, "allowed": allowed, "evidence": d.Evidence, "alarm": limit, "rows": d.Rows,
		"start": d.From, "end": end, "coverage": w.coverage(),
	}) {
		*d = Detector{}
	}
}

// tellBlind says once when what the policy asks for is less than ten windows can
// tell: more held-out rows would.
func (s *stepper) tellBlind(by float64, end time.Time) {
	h := &s.Profile.HeldOut
	seen := 2 * h.SD * math.Sqrt(0.1+1/float64(h.Blocks))
	if by < seen {
		s.note("blind", h.Metric, end, map[string]any{"asked": by, "seen": seen, "sd": h.SD, "blocks": h.Blocks},
			"%s worse by %s cannot be seen in ten windows: held-out blocks differ by ±%s; %s can", h.Metric, figure(by), figure(h.SD), figure(seen))
	}
}

// settle opens the finding at an alarm, and ends it after seven windows in which it
// was not seen; then it reports true, and the evidence begins anew.
func (s *stepper) settle(f Finding, alarm, seen bool, data any) (ended bool) {
	switch {
	case alarm:
		s.open(f, data) // once
	case seen:
		if s.isOpen(f.Kind, f.Subject) {
			s.open(f, nil)
		}
	default:
		return s.quiet(f.Kind, f.Subject, f.Opened, 7)
	}
	return false
}

// update takes one window's p-value in. sum is what is averaged over the run's rows.
func (d *Detector) update(p float64, from time.Time, rows int, sum float64) {
	d.Evidence = stat.ShiryaevRoberts(d.Evidence, p)
	gain := math.Log(stat.EValue(p))
	if d.Run+gain <= 0 {
		*d = Detector{Evidence: d.Evidence, Suspect: d.Suspect}
		return
	}
	if d.Rows == 0 {
		d.From = from
	}
	d.Run = min(d.Run+gain, 1e6)
	d.Rows += rows
	d.Sum += sum
	if d.Means = append(d.Means, sum/float64(max(rows, 1))); len(d.Means) > runMeans {
		d.Means = d.Means[len(d.Means)-runMeans:]
	}
}

// half is half the 95 % interval of the run's mean, by its windows; otherwise where
// they are too few.
func (d *Detector) half(otherwise float64) float64 {
	if len(d.Means) < 3 {
		return otherwise
	}
	low, high := stat.MeanOf(d.Means).Interval(0.95)
	return (high - low) / 2
}

// coverage is the share of due rows whose truth is known.
func (t *Tally) coverage() float64 {
	if t.Due == 0 {
		return 1
	}
	return float64(t.Rows) / float64(t.Due)
}

func (t *Tally) known() string {
	if c := t.coverage(); c < 0.995 {
		return "; truth of " + percent(c) + " known"
	}
	return ""
}
