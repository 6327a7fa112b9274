// SPDX-License-Identifier: Apache-2.0

package web

import (
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
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
	Marks    [][]span // of the subjects, in their order
	Differs  []compare.Fact
	Equal    int
	Pairs    []pairView
	Logged   grid
	More     int
}

// pairView is one subject against the reference.
type pairView struct {
	compare.Pair
	Lead    bool // its sentence is the headline
	Verdict template.HTML
	Scores  []score
	Charts  []figure
	Groups  []sliceGroup
	Domain  string // of the drawn intervals
	Summary string // of the slices
}

// score is one metric of a pair.
type score struct {
	Metric, Reference, Candidate, Difference, Interval, Text string
	Mark                                                     event.Mark
	Word                                                     string
}

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
	for _, ref := range refs {
		f.Command += " " + shell(ref)
	}
	if against != "" {
		f.Command += " --against " + shell(against)
	}
	report, err := p.Finder.Compare(r.Context(), compare.Question{Refs: refs, Against: against, Metric: q.Get("metric"), Slices: true, Curves: true})
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	if e := q.Get("experiment"); e != "" {
		f.Experiment = e
	}
	p.show(w, r, http.StatusOK, "compare.html", newCompareView(f, report))
}

func newCompareView(f frame, r compare.Report) compareView {
	v := compareView{Frame: f, Headline: bold(r.Sentence), Subjects: r.Subjects, Differs: r.Differs, Equal: r.Equal, More: r.More}
	for i, p := range r.Pairs {
		v.Pairs = append(v.Pairs, newPairView(fmt.Sprint("p", i), p, p.Sentence == r.Sentence))
	}
	v.Logged = grid{Name: "Metrics as logged", Head: []string{"metric"}}
	for _, s := range r.Subjects {
		v.Logged.Head = append(v.Logged.Head, s.Name)
	}
	for _, l := range r.Logged {
		cells := []string{l.Key}
		for _, x := range l.Values {
			text := "–"
			if x != nil && x.Value != nil {
				text = unit.Fixed(*x.Value, unit.Digits(math.Abs(*x.Value)))
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

func newPairView(id string, p compare.Pair, lead bool) pairView {
	v := pairView{Pair: p, Lead: lead}
	for i, m := range p.Metrics {
		v.Scores = append(v.Scores, scoreOf(m))
		if i == 0 && m.Difference != nil {
			v.Verdict = chart.Verdict(id+"v", drawn(m.Metric+", "+p.Name+" against "+p.Against+"; better is to the right", *m.Difference, m.Margin))
		}
	}
	v.Charts = charts(id, p)
	v.Groups, v.Domain, v.Summary = slicesOf(id, p)
	return v
}

// drawn is a difference, turned so that positive is better, as a chart takes it.
func drawn(name string, d evaluation.Difference, margin float64) chart.Difference {
	return chart.Difference{
		Name: name, Value: d.Value, Low: d.Low, Top: d.High, Margin: margin,
		Digits: unit.FineDigits(max(math.Abs(d.Candidate), math.Abs(d.Other)), d.Low, d.High),
	}
}

func scoreOf(m compare.Judged) score {
	s := score{Metric: m.Metric, Reference: "–", Candidate: "–", Difference: "–", Text: m.Text}
	s.Mark, s.Word = mark(m.Decision, !m.NotJudged)
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

// charts draws the curves of a pair: the reference first, this subject on top.
func charts(id string, p compare.Pair) []figure {
	this, that := p.Curves[p.Name], p.Curves[p.Against]
	if this == nil || that == nil {
		return nil
	}
	var out []figure
	if len(this.ROC) > 0 && len(that.ROC) > 0 {
		out = append(out, roc(id, p, that, this))
	}
	if len(this.Calibration) > 0 && len(that.Calibration) > 0 {
		out = append(out, calibration(id, p, that, this))
	}
	return out
}

func roc(id string, p compare.Pair, that, this *compare.Curves) figure {
	line := func(name string, role chart.Role, c *compare.Curves) chart.Series {
		s := chart.Series{Name: name, Role: role}
		for _, x := range c.ROC {
			s.X, s.Y = append(s.X, x.FalsePositives), append(s.Y, x.TruePositives)
		}
		return s
	}
	f := figure{
		Finding: "True against false positives.", How: "Further up and left is better; the dashed line is chance.",
		SVG:  chart.ROC(id+"r", []chart.Series{line(p.Against, chart.Live, that), line(p.Name, chart.Candidate, this)}),
		Data: grid{Name: "ROC, every tenth point", Head: []string{"false positive rate", p.Against, p.Name}},
	}
	for i := 0; i < min(len(that.ROC), len(this.ROC)); i += 10 {
		f.Data.Rows = append(f.Data.Rows, []string{unit.Fixed(that.ROC[i].FalsePositives, 2), unit.Fixed(that.ROC[i].TruePositives, 3), unit.Fixed(this.ROC[i].TruePositives, 3)})
	}
	return f
}

func calibration(id string, p compare.Pair, that, this *compare.Curves) figure {
	groups := func(name string, role chart.Role, c *compare.Curves) chart.Reliability {
		r := chart.Reliability{Name: name, Role: role}
		for _, t := range c.Calibration {
			r.Groups = append(r.Groups, chart.Group{Said: t.Said, Was: t.Was, Low: t.Low, High: t.High})
		}
		return r
	}
	f := figure{
		Finding: "What it said and what was.", How: "Points on the diagonal are right on average.",
		SVG:  chart.Calibration(id+"c", []chart.Reliability{groups(p.Against, chart.Live, that), groups(p.Name, chart.Candidate, this)}),
		Data: grid{Name: "Calibration by tenth", Head: []string{"tenth", p.Against + " said", p.Against + " was", p.Name + " said", p.Name + " was"}},
	}
	for i := range min(len(that.Calibration), len(this.Calibration)) {
		a, b := that.Calibration[i], this.Calibration[i]
		f.Data.Rows = append(f.Data.Rows, []string{fmt.Sprint(i + 1), unit.Fixed(a.Said, 3), unit.Fixed(a.Was, 3), unit.Fixed(b.Said, 3), unit.Fixed(b.Was, 3)})
	}
	return f
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
