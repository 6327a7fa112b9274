// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"flyball/chart"
	"flyball/event"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/unit"
)

// compareView is what the template of a comparison shows.
type compareView struct {
	Frame    frame
	Headline []span
	Subjects []compare.Shown
	Differs  []compare.Fact
	Equal    int
	Turned   []turn
	Measured bool // something could be compared
	Several  bool
	All      []placed // of several, by the metric that decides
	By       string
	Against  string
	Domain   string // of their drawn intervals
	Pairs    []pairView
	Logged   grid
	More     int
}

// pairView is one subject against the reference.
type pairView struct {
	compare.Pair
	ID         string
	Of         string // begins its headings, where there are several pairs
	Verdict    template.HTML
	Scores     []score
	Charts     []figure
	Thresholds *grid
	Examples   *grid
	Right      string // how often it is right where the two decide differently
	Groups     []sliceGroup
	Domain     string // of the drawn intervals
	Summary    string // of the slices
}

// score is one metric of a pair.
type score struct {
	Metric, Reference, Candidate, Difference, Interval string
	Mark                                               event.Mark
	Word, Why                                          string
}

// placed is one of several subjects against the reference.
type placed struct {
	score
	Name, Href string
	Drawn      template.HTML
}

// turn is the same comparison from another reference.
type turn struct{ Name, Href string }

// sliceGroup is the slices of a column.
type sliceGroup struct {
	Column string
	Rows   []sliceRow
}

type sliceRow struct {
	compare.Slice
	Reference, Candidate, Change, Interval string
	Drawn                                  template.HTML
	Mark                                   event.Mark
	Word                                   string
}

// compared shows whether one run or version is better than another.
func (p *pages) compared(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	refs, against := trim(q["ref"], compare.MaxSubjects+1), q.Get("against")
	f := frame{Title: "Compare", Here: "compare", Command: "flyball compare", Crumbs: []crumb{{"Flyball", "/"}, {"Compare", ""}}}
	experiment := q.Get("experiment")
	if len(refs) == 1 && against == "" && experiment != "" {
		against = "baseline" // one was marked among the runs
	}
	for _, ref := range refs {
		f.Command += " " + shell(ref)
	}
	if against != "" {
		f.Command += " --against " + shell(against)
	}
	if metric := q.Get("metric"); metric != "" {
		f.Command += " --metric " + shell(metric)
	}
	report, err := p.Finder.Compare(r.Context(), compare.Question{Refs: refs, Against: against, Metric: q.Get("metric"), Slices: true, Curves: true})
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	f.Experiment = experiment
	p.show(w, r, http.StatusOK, "compare.html", newCompareView(f, report))
}

func newCompareView(f frame, r compare.Report) compareView {
	v := compareView{Frame: f, Headline: bold(r.Sentence), Subjects: r.Subjects, Differs: r.Differs, Equal: r.Equal, More: r.More}
	for i, p := range r.Pairs {
		v.Against, v.Measured = p.Against, v.Measured || len(p.Metrics) > 0
		v.Pairs = append(v.Pairs, newPairView(fmt.Sprint("p", i), p, len(r.Pairs) > 1))
	}
	v.Several = len(r.Pairs) > 1
	v.place(r)
	v.turn(r.Subjects)
	v.Logged = grid{Name: "Metrics as logged", Head: []string{"metric"}}
	for _, s := range r.Subjects {
		v.Logged.Head = append(v.Logged.Head, s.Name)
	}
	for _, l := range r.Logged {
		cells := []string{l.Key}
		for _, x := range l.Values {
			text := "–"
			if x != nil && x.Value != nil {
				text = alone(x.Value)
			}
			cells = append(cells, text)
		}
		v.Logged.Rows = append(v.Logged.Rows, cells)
	}
	return v
}

// bold sets off what the reader came for: the sentence up to its interval.
func bold(sentence string) []span {
	if head, rest, found := strings.Cut(sentence, " ("); found {
		return []span{{head, true}, {" (" + rest, false}}
	}
	return []span{{sentence, false}}
}

// mark is a decision as a shape and a word.
func mark(d gate.Decision, judged bool) (event.Mark, string) {
	switch {
	case !judged:
		return event.None, "too few"
	case d == gate.Superior:
		return event.OK, "better"
	case d == gate.NonInferior:
		return event.OK, "not worse"
	case d == gate.Harm:
		return event.Warn, "worse"
	}
	return event.None, "cannot tell"
}

// place puts several subjects below one another, their intervals on one domain.
func (v *compareView) place(r compare.Report) {
	i := slices.IndexFunc(v.Pairs, func(p pairView) bool { return len(p.Scores) > 0 })
	if !v.Several || i < 0 {
		return
	}
	v.By = v.Pairs[i].Scores[0].Metric
	lo, hi := 0.0, 0.0
	for _, p := range r.Pairs {
		if len(p.Metrics) > 0 && p.Metrics[0].Difference != nil {
			lo, hi = min(lo, p.Metrics[0].Difference.Low), max(hi, p.Metrics[0].Difference.High)
		}
	}
	digits := unit.FineDigits(0, lo, hi)
	v.Domain = unit.Signed(lo, digits) + " to " + unit.Signed(hi, digits)
	for i, p := range r.Pairs {
		s := placed{Name: p.Name, Href: fmt.Sprint("#p", i), score: score{Candidate: "–", Difference: "–", Mark: event.None, Word: "cannot be compared"}}
		if len(p.Metrics) > 0 {
			s.score = v.Pairs[i].Scores[0]
			if d := p.Metrics[0].Difference; d != nil {
				s.Drawn = chart.Interval(fmt.Sprint("p", i, "i"), drawn(p.Name, *d, 0), lo, hi)
			}
		}
		v.All = append(v.All, s)
	}
}

// turn offers the same comparison measured from each of the others. The constant cannot
// be asked for among others.
func (v *compareView) turn(subjects []compare.Shown) {
	var refs []string
	for _, s := range subjects {
		if s.Ref != "" && s.Ref != "constant" {
			refs = append(refs, s.Ref)
		}
	}
	if len(refs) < 2 || len(refs) < len(subjects) {
		return
	}
	for i, s := range subjects[1:] {
		q := url.Values{"ref": append([]string{s.Ref}, slices.Delete(slices.Clone(refs), i+1, i+2)...)}
		if v.Frame.Experiment != "" {
			q.Set("experiment", v.Frame.Experiment)
		}
		v.Turned = append(v.Turned, turn{s.Name, "/compare?" + q.Encode()})
	}
}

func newPairView(id string, p compare.Pair, several bool) pairView {
	v := pairView{Pair: p, ID: id, Thresholds: thresholds(p), Examples: examples(p), Right: rightOf(p)}
	if several {
		v.Of = p.Name + ": "
	}
	for i, m := range p.Metrics {
		v.Scores = append(v.Scores, scoreOf(m))
		if i == 0 && m.Difference != nil && !several {
			v.Verdict = chart.Verdict(id+"v", drawn(m.Metric+", "+p.Name+" against "+p.Against+"; better is to the right", *m.Difference, m.Margin))
		}
	}
	v.Charts = charts(id, p)
	v.Groups, v.Domain, v.Summary = slicesOf(id, p)
	return v
}

// rightOf says how often the subject is right where the two decide differently.
func rightOf(p compare.Pair) string {
	if p.Where == nil || p.Where.Changed == 0 {
		return ""
	}
	text := fmt.Sprintf("%s is right in %s of the %s.", p.Name, unit.Count(p.Where.ToYes.Right+p.Where.ToNo.Right), unit.Count(p.Where.Changed))
	if x := p.Where.P; x != nil {
		how := "p " + unit.Fixed(*x, 3)
		if *x < 0.001 {
			how = "p under 0.001"
		}
		text += " McNemar’s test for chance: " + how + "."
	}
	return text
}

// drawn is a difference, turned so that positive is better, as a chart takes it.
func drawn(name string, d evaluation.Difference, margin float64) chart.Difference {
	return chart.Difference{
		Name: name, Value: d.Value, Low: d.Low, Top: d.High, Margin: margin,
		Digits: unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High),
	}
}

func scoreOf(m compare.Judged) score {
	s := score{Metric: m.Metric, Reference: "–", Candidate: "–", Difference: "–"}
	s.Mark, s.Word = mark(m.Decision, !m.NotJudged)
	switch {
	case m.NotJudged:
		s.Why = m.Text
	case m.Decision == gate.Inconclusive && m.Needs > 0:
		s.Why = "needs about " + unit.Fixed(unit.RoundUp(float64(m.Needs)), 0) + " more rows"
	case m.Decision == gate.NonInferior:
		s.Why = "within the margin of " + strconv.FormatFloat(m.Margin, 'g', 4, 64)
	}
	if m.LowerIsBetter {
		s.Metric += " ↓"
	} else {
		s.Metric += " ↑"
	}
	if m.Reference != nil {
		s.Reference = unit.Fixed(m.Reference.Value, unit.Digits(math.Abs(m.Reference.Value)))
	}
	if m.Candidate != nil {
		s.Candidate = unit.Fixed(m.Candidate.Value, unit.Digits(math.Abs(m.Candidate.Value)))
	}
	if d := m.Difference; d != nil {
		digits := unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High)
		s.Difference, s.Interval = unit.Signed(d.Value, digits), "("+unit.Signed(d.Low, digits)+"…"+unit.Signed(d.High, digits)+")"
	}
	return s
}

// slicesOf lays the slices out by column, all intervals on one domain.
func slicesOf(id string, p compare.Pair) (groups []sliceGroup, domain, summary string) {
	lo, hi := 0.0, 0.0
	better, worse, few := 0, 0, 0
	for _, s := range p.Slices {
		switch {
		case s.NotJudged || s.Difference == nil:
			few++
			continue
		case s.Decision == gate.Superior:
			better++
		case s.Decision == gate.Harm:
			worse++
		}
		lo, hi = min(lo, s.Difference.Low), max(hi, s.Difference.High)
	}
	digits := unit.FineDigits(0, lo, hi)
	for i, s := range p.Slices {
		if len(groups) == 0 || groups[len(groups)-1].Column != s.Column {
			groups = append(groups, sliceGroup{Column: s.Column})
		}
		g := &groups[len(groups)-1]
		g.Rows = append(g.Rows, sliceRowOf(fmt.Sprint(id, "s", i), s, lo, hi, digits))
	}
	domain = unit.Signed(lo, digits) + " to " + unit.Signed(hi, digits)
	undecided := len(p.Slices) - better - worse - few
	return groups, domain, fmt.Sprintf("better in %d, worse in %d, undecided in %d, too few in %d", better, worse, undecided, few)
}

func sliceRowOf(id string, s compare.Slice, lo, hi float64, digits int) sliceRow {
	r := sliceRow{Slice: s, Reference: "–", Candidate: "–", Change: "–"}
	r.Mark, r.Word = mark(s.Decision, !s.NotJudged && s.Difference != nil)
	if d := s.Difference; d != nil && !s.NotJudged {
		own := unit.Digits(max(math.Abs(d.Candidate), math.Abs(d.Other)))
		r.Reference, r.Candidate = unit.Fixed(d.Other, own), unit.Fixed(d.Candidate, own)
		r.Change, r.Interval = unit.Signed(d.Value, digits), "("+unit.Signed(d.Low, digits)+"…"+unit.Signed(d.High, digits)+")"
		x := drawn(s.Column+" "+s.Value, *d, 0)
		x.Digits = digits
		r.Drawn = chart.Interval(id, x, lo, hi)
	}
	return r
}

// Href is the page of a subject's run; empty: it has none.
func (v compareView) Href(s compare.Shown) string {
	if s.Run == "" {
		return ""
	}
	return "/run?" + url.Values{"id": {s.Run}}.Encode()
}
