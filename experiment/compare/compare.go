// SPDX-License-Identifier: Apache-2.0

// Package compare says whether one run or version is better than another, honestly:
// on the rows that both predicted, by the paired difference with its interval, in the
// gate's words. It reads what runs keep below evaluation/ (docs/formats/evaluation.md),
// measures with package evaluation, decides with package gate, and moves nothing.
package compare

import (
	"fmt"
	"slices"

	"flyball/data/dataset"
	"flyball/experiment"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/unit"
)

// Subject is what is compared: a run, a version, or the constant.
type Subject struct {
	Ref     string   // run:8f3c… or hotel-cancel@7, as it can be asked for again
	Name    string   // short, for sentences: 8f3c or v7
	Title   string   // the run's name
	Version string   // hotel-cancel@7, of a version or of the run that made it
	Tags    []string // what it is: live, baseline, candidate

	Run         string // the run's id
	Params      []experiment.Param
	RunTags     []experiment.Tag
	Metrics     []experiment.Metric // as logged
	Inputs      []experiment.Input
	Environment []string // lines of a requirements file, of the logged model

	Evaluation *Evaluation            // nil: no predictions are kept
	Also       map[string]*Evaluation // by Version: what other versions said on the same rows
	Missing    string                 // why there is no Evaluation, in a sentence; may be empty
	Constant   bool                   // the mean of the labels, whatever the row
}

// Options are what Compare is asked.
type Options struct {
	Primary string             // metric that decides; empty: the first of Metrics
	Metrics []string           // empty: those of the kind
	Margins map[string]float64 // by metric: how much worse is not harm; absent: 0
	Costs   dataset.Costs      // of the model's decisions; nil: cost is not judged
	Slices  bool               // search the slices
	Curves  bool               // with the points of curves
}

// Report is the whole answer. The first of Subjects is the reference; Pairs are the
// others, in their order.
type Report struct {
	Sentence string        `json:"sentence" doc:"the verdict, made of the numbers below"`
	Better   bool          `json:"better" doc:"one of the subjects is better than the reference by more than chance allows"`
	Primary  string        `json:"primary,omitempty" doc:"the metric that decides"`
	Subjects []Shown       `json:"subjects" doc:"the first is the reference"`
	Differs  []Fact        `json:"differs" doc:"settings and inputs that are not the same for all"`
	Equal    int           `json:"equal" doc:"how many settings and inputs are the same"`
	Pairs    []Pair        `json:"pairs" doc:"each other subject against the reference"`
	Logged   []LoggedValue `json:"logged" doc:"metrics as the runs logged them, without intervals: nobody can tell from them what chance does"`
	More     int           `json:"logged_more,omitempty" doc:"logged metrics that are not shown"`
}

// Shown is what a report says of a subject.
type Shown struct {
	Ref     string   `json:"ref"`
	Name    string   `json:"name"`
	Title   string   `json:"title,omitempty"`
	Run     string   `json:"run,omitempty"`
	Version string   `json:"version,omitempty"`
	Is      []string `json:"is,omitempty" doc:"live, baseline or candidate"`
	Rows    int      `json:"rows" doc:"predictions that it keeps"`
	Note    string   `json:"note,omitempty"`
}

// Pair is one subject against the reference, on the rows of both.
type Pair struct {
	Name      string             `json:"name"`
	Against   string             `json:"against"`
	Sentence  string             `json:"sentence"`
	Decision  gate.Decision      `json:"decision,omitempty" doc:"superior, noninferior, inconclusive or harm; empty: nothing could be compared"`
	Kind      dataset.Kind       `json:"kind,omitempty"`
	Rows      int                `json:"rows" doc:"that both have"`
	Blocks    int                `json:"blocks" doc:"independent draws among them"`
	Positives int                `json:"positives,omitempty"`
	OnlyThis  int                `json:"only_this" doc:"rows that the reference does not have"`
	OnlyThat  int                `json:"only_that" doc:"rows that only the reference has"`
	LeftOut   int                `json:"left_out" doc:"shared rows whose label or weight is not the same"`
	Notes     []string           `json:"notes,omitempty"`
	Metrics   []Judged           `json:"metrics"`
	Slices    []Slice            `json:"slices,omitempty"`
	Judged    int                `json:"slices_judged"`
	Where     *Where             `json:"where,omitempty"`
	Curves    map[string]*Curves `json:"curves,omitempty" doc:"by the name of this subject and of the reference"`
}

// Judged is one metric of a pair.
type Judged struct {
	Metric        string                 `json:"metric"`
	LowerIsBetter bool                   `json:"lower_is_better"`
	Candidate     *evaluation.Estimate   `json:"candidate,omitempty"`
	Reference     *evaluation.Estimate   `json:"reference,omitempty"`
	Difference    *evaluation.Difference `json:"difference,omitempty" doc:"turned so that positive is better"`
	Margin        float64                `json:"margin"`
	Decision      gate.Decision          `json:"decision"`
	NotJudged     bool                   `json:"not_judged,omitempty"`
	Needs         int                    `json:"needs,omitempty" doc:"about so many more rows would tell"`
	Text          string                 `json:"text"`
}

// Compare compares the first subject, the reference, with each other. It is pure: the
// same subjects give the same report. It needs two subjects; with fewer the report
// says nothing.
func Compare(subjects []Subject, o Options) Report {
	var r Report
	if len(subjects) < 2 {
		return r
	}
	for _, s := range subjects {
		r.Subjects = append(r.Subjects, s.shown())
	}
	r.Differs, r.Equal = differs(subjects)
	r.Logged, r.More = logged(subjects)
	for _, s := range subjects[1:] {
		p := o.pair(s, subjects[0])
		r.Pairs = append(r.Pairs, p)
		if p.Decision == gate.Superior {
			r.Better = true
		}
		if len(p.Metrics) > 0 {
			r.Primary = p.Metrics[0].Metric
		}
	}
	r.Sentence = sentence(r)
	return r
}

func (s Subject) shown() Shown {
	out := Shown{Ref: s.Ref, Name: s.Name, Title: s.Title, Run: s.Run, Version: s.Version, Is: s.Tags, Note: s.Missing}
	if s.Evaluation != nil {
		out.Rows = len(s.Evaluation.Keys)
	}
	return out
}

// pair judges s against the reference.
func (o Options) pair(s, reference Subject) Pair {
	p := Pair{Name: s.Name, Against: reference.Name, Metrics: []Judged{}}
	m := match(s, reference)
	p.OnlyThis, p.OnlyThat, p.LeftOut, p.Notes = m.onlyThis, m.onlyThat, m.leftOut, m.notes
	if m.why != "" {
		p.Sentence = m.why
		return p
	}
	m.sample.Costs = o.Costs
	p.Kind, p.Rows = m.sample.Kind, len(m.sample.Truth)
	if p.Kind == dataset.Binary {
		for _, y := range m.sample.Truth {
			p.Positives += int(y)
		}
	}
	o.judge(&p, m.sample)
	if len(p.Metrics) == 0 {
		p.Sentence = fmt.Sprintf("%s and %s cannot be told apart by %s: there are too many rows to resample.", p.Name, p.Against, o.Primary)
		return p
	}
	if o.Slices {
		p.slices(m.sample, p.Metrics[0])
	}
	p.Where = where(m)
	if o.Curves {
		p.Curves = map[string]*Curves{p.Name: curves(m.sample, candidate), p.Against: curves(m.sample, live)}
	}
	p.Sentence = p.say()
	return p
}

// The roles of a pair, by which package gate knows them.
const candidate, live = "candidate", "live"

// metrics are those that are judged, the one that decides first.
func (o Options) metrics(kind dataset.Kind) []string {
	all := o.Metrics
	if len(all) == 0 {
		all = []string{"log_loss", "auc", "brier", "ece", "accuracy"}
		switch kind {
		case dataset.Regression:
			all = []string{"mae", "rmse", "r2", "bias"}
		case dataset.Multiclass:
			all = []string{"log_loss", "accuracy", "balanced_accuracy", "brier", "ece"}
		}
	}
	if len(o.Metrics) == 0 && len(o.Costs) > 0 {
		all = append(all, "cost")
	}
	out := []string{}
	if o.Primary != "" {
		out = append(out, o.Primary)
	}
	for _, m := range all {
		if m != o.Primary {
			out = append(out, m)
		}
	}
	return out
}

// judge measures both, and has the gate decide each metric by the interval of the
// paired difference.
func (o Options) judge(p *Pair, s evaluation.Sample) {
	s.Slices = nil
	var rules gate.Policy
	all := o.metrics(s.Kind)
	if s.Independent() > mostResampled {
		all = slices.DeleteFunc(all, evaluation.Resampled)
		p.Notes = append(p.Notes, fmt.Sprintf("more than %s draws take too long to resample: metrics that need it are left out", unit.Count(mostResampled)))
	}
	for _, m := range all {
		margin := o.Margins[m]
		rules.Metrics = append(rules.Metrics, gate.Rule{Name: m, Require: gate.Requirement{Word: "noninferior"}, Margin: &margin})
	}
	v := rules.Judge(gate.Input{Sample: s})
	p.Blocks = v.Blocks
	for i, r := range v.Reasons {
		j := Judged{
			Metric: r.Metric, LowerIsBetter: evaluation.LowerIsBetter(r.Metric), Margin: *rules.Metrics[i].Margin,
			Decision: r.Decision, NotJudged: r.NotJudged, Needs: r.Needs, Text: r.Text,
		}
		for _, d := range v.Differences {
			if d.Metric == r.Metric {
				d.Against = p.Against
				j.Difference = &d
			}
		}
		j.Candidate, j.Reference = measure(r.Metric, s, candidate, p.Name), measure(r.Metric, s, live, p.Against)
		if j.Difference != nil {
			j.Text = j.say(p.Against)
		}
		p.Metrics = append(p.Metrics, j)
	}
	if len(p.Metrics) > 0 {
		p.Decision = p.Metrics[0].Decision
	}
}

// mostResampled is how many draws are resampled: a second or two of work.
const mostResampled = 20_000

// measure is a metric with its interval; nil where the rows cannot tell it.
func measure(metric string, s evaluation.Sample, role, name string) *evaluation.Estimate {
	e, err := evaluation.Measure(metric, s, role, s.Seed())
	if err != nil {
		return nil
	}
	e.Role = name
	return &e
}
