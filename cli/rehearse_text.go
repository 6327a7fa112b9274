// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"flyball/event"
	"flyball/loop/rehearse"
	"flyball/serving/prediction"
)

// showRehearsals prints one rehearsal in full, or a table of several.
func (e *env) showRehearsals(all []rehearse.Report, asked rehearsal) error {
	if e.format != "table" && e.format != "wide" {
		if len(all) == 1 {
			return e.show(all[0], rivalsTable(all[0]))
		}
		return e.show(all, policiesTable(all))
	}
	if len(all) > 1 {
		return e.show(all, policiesTable(all))
	}
	r := all[0]
	for _, ev := range r.Events {
		if asked.all || !minor(ev) {
			fmt.Fprintf(e.out, "%s %s %s\n", ev.At.UTC().Format(time.DateOnly), marks[ev.Mark], tidy([]string{ev.Text}))
		}
	}
	fmt.Fprintf(e.out, "\n%s\n", rehearsalSentence(r))
	for _, line := range servedBy(r) {
		fmt.Fprintln(e.out, line)
	}
	if r.Judged == 0 {
		return nil
	}
	fmt.Fprintln(e.out)
	if err := e.show(r, rivalsTable(r)); err != nil || !asked.months {
		return err
	}
	fmt.Fprintln(e.out)
	return e.show(r, monthsTable(r))
}

var marks = map[event.Mark]string{
	event.OK: "✓", event.Move: "→", event.Wait: "‖", event.Off: "−", event.Warn: "!", event.Stop: "✗", event.None: "?",
}

// minor reports whether an event says little between those around it.
func minor(ev event.Event) bool {
	switch ev.Kind {
	case "note", "trained":
		return true
	case "release":
		return ev.Mark == event.Move
	}
	return false
}

func rehearsalSentence(r rehearse.Report) string {
	d := r.Did
	said := []string{
		fmt.Sprintf("%d trainings (%d fits, %.1f s of CPU)", d.Trainings, r.Cost.Fits, r.Cost.CPU), fmt.Sprintf("%d refused by the gate", d.Refused),
		fmt.Sprintf("%d released", d.Releases), fmt.Sprintf("%d taken back", d.Back), fmt.Sprintf("%d findings", d.Findings),
	}
	for _, rare := range []struct {
		n    int
		text string
	}{{d.Kept, "%d passed and stayed out"}, {d.Failed, "%d failed"}, {d.Holds, "%d holds"}, {d.Floor, "the baseline took over %d times"}} {
		if rare.n > 0 {
			said = append(said, fmt.Sprintf(rare.text, rare.n))
		}
	}
	return fmt.Sprintf("%s to %s: %d rows asked, %d not answered; %d judged (%d draws), %d of them due by the end.\n%s.",
		r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Rows, r.Unanswered, r.Judged, r.Blocks, r.AtEnd, strings.Join(said, ", "))
}

// servedBy is a line on who answered.
func servedBy(r rehearse.Report) []string {
	var parts []string
	rows := map[string]int{}
	var order []string
	for _, s := range r.Shares {
		who := "v" + strconv.Itoa(s.Version)
		switch s.Arm {
		case prediction.Baseline, prediction.Fallback:
			who = s.Arm
		}
		if rows[who] == 0 {
			order = append(order, who)
		}
		rows[who] += s.Rows
	}
	for _, who := range order {
		parts = append(parts, fmt.Sprintf("%s %d", who, rows[who]))
	}
	out := []string{"answered by: " + strings.Join(parts, ", ")}
	if r.Unanswered > 0 {
		out = append(out, fmt.Sprintf("%d rows were not answered: %s", r.Unanswered, r.Problem))
	}
	return out
}

// rivalsTable holds what was served against the simple policies.
func rivalsTable(r rehearse.Report) table {
	t := table{head: []string{"policy", r.Metric, "95 %", "served better by", "95 %", "trainings", "releases", "due by the end"}}
	row := func(s rehearse.Score, gain bool) {
		cells := []string{s.Name, figure(s.Value), figure(s.Low) + "…" + figure(s.High), "", "", strconv.Itoa(s.Trainings), strconv.Itoa(s.Releases), figure(s.AtEnd)}
		if gain {
			cells[3], cells[4] = figure(s.Gain), figure(s.GainLow)+"…"+figure(s.GainHigh)
		}
		if s.Trainings == 0 {
			cells[5], cells[6] = "-", "-"
		}
		t.add(cells...)
	}
	row(r.Served, false)
	for _, s := range r.Rivals {
		row(s, true)
	}
	return t
}

// monthsTable holds the policies side by side, month by month.
func monthsTable(r rehearse.Report) table {
	t := table{head: []string{"month", "rows", r.Served.Name}}
	for _, s := range r.Rivals {
		t.head = append(t.head, s.Name)
	}
	for _, p := range r.Parts {
		cells := []string{p.From.Format("2006-01"), strconv.Itoa(p.Rows)}
		for _, name := range t.head[2:] {
			v, ok := p.Values[name]
			if cells = append(cells, ""); ok {
				cells[len(cells)-1] = figure(v)
			}
		}
		t.add(cells...)
	}
	return t
}

// policiesTable compares policies.
func policiesTable(all []rehearse.Report) table {
	t := table{head: []string{"policy", all[0].Metric, "95 %", "against never", "against always", "trainings", "refused", "releases", "back", "findings", "fits", "cpu s"}}
	for _, r := range all {
		against := func(name string) string {
			for _, s := range r.Rivals {
				if s.Name == name {
					return fmt.Sprintf("%s (%s…%s)", figure(s.Gain), figure(s.GainLow), figure(s.GainHigh))
				}
			}
			return ""
		}
		t.add(r.Policy, figure(r.Served.Value), figure(r.Served.Low)+"…"+figure(r.Served.High), against(rehearse.Never), against(rehearse.Always),
			strconv.Itoa(r.Did.Trainings), strconv.Itoa(r.Did.Refused), strconv.Itoa(r.Did.Releases), strconv.Itoa(r.Did.Back), strconv.Itoa(r.Did.Findings),
			strconv.Itoa(r.Cost.Fits), strconv.FormatFloat(r.Cost.CPU, 'f', 1, 64))
	}
	return t
}

// figure is a metric's value with as many digits as tell versions apart.
func figure(x float64) string {
	switch {
	case math.Abs(x) >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case math.Abs(x) >= 1:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}
