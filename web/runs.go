// SPDX-License-Identifier: Apache-2.0

package web

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/fault"
	"flyball/ident"
	"flyball/unit"
)

// Finder finds runs and compares them. compare.Finder is it.
type Finder interface {
	List(ctx context.Context, a compare.Ask) (compare.List, error)
	Parallel(ctx context.Context, a compare.Ask) (compare.Parallel, error)
	Run(ctx context.Context, ref string) (compare.Detail, error)
	Curve(ctx context.Context, ref, key string, n int) ([]compare.Point, error)
	Compare(ctx context.Context, q compare.Question) (compare.Report, error)
}

// Experiments lists experiments. experiment.Tracker does.
type Experiments interface {
	ExperimentByName(ctx context.Context, name string) (experiment.Experiment, error)
	Experiment(ctx context.Context, id ident.ExperimentID) (experiment.Experiment, error)
	SearchExperiments(ctx context.Context, a experiment.Ask) (found []experiment.Experiment, next string, err error)
}

// Names are the names of metrics and params in an experiment that begin with a prefix.
type Names interface {
	MetricKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error)
	ParamKeys(ctx context.Context, id ident.ExperimentID, prefix string, limit int) ([]string, error)
}

// The bounds of the page: rows, lines of the chart, columns that may be asked for, names
// that are offered, experiments in the list.
const (
	pageRows     = 100
	pageLines    = 50
	maxColumns   = 40
	offeredNames = 200
	pageOfSpaces = 1000
)

// What the runs are sorted by when nobody says.
const (
	startTime   = "attributes.start_time"
	newestFirst = startTime + " DESC"
)

// asked is the address of the page, taken apart.
type asked struct {
	Experiment string
	Filter     string
	Sort       string // an order_by clause; empty: the newest first
	Columns    []string
	Token      string
}

func readAsked(q url.Values) asked {
	return asked{
		Experiment: q.Get("experiment"), Filter: q.Get("filter"), Sort: q.Get("sort"), Columns: trim(q["column"], maxColumns), Token: q.Get("page"),
	}
}

// trim is a list without what is empty, of at most n.
func trim(list []string, n int) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
	return list[:min(len(list), n)]
}

func (a asked) ask(limit int) compare.Ask {
	return compare.Ask{
		Experiment: a.Experiment, Filter: a.Filter, Order: trim([]string{a.Sort}, 1), Columns: a.Columns,
		Page: experiment.Page{Limit: limit, Token: a.Token},
	}
}

// href is the address of the same page with some parts changed.
func (a asked) href(change func(*asked)) string {
	change(&a)
	q := url.Values{"experiment": {a.Experiment}}
	for name, v := range map[string]string{"filter": a.Filter, "sort": a.Sort, "page": a.Token} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if len(a.Columns) > 0 {
		q["column"] = a.Columns
	}
	return "/runs?" + q.Encode()
}

// command is what lists the same in a terminal.
func (a asked) command() string {
	c := "flyball runs --experiment " + shell(a.Experiment)
	if a.Filter != "" {
		c += " --filter " + shell(a.Filter)
	}
	if a.Sort != "" {
		c += " --sort " + shell(a.Sort)
	}
	return c
}

// shell quotes a word for a shell where it must be.
func shell(s string) string {
	plain := s != ""
	for _, c := range s {
		plain = plain && (strings.ContainsRune("-_.@:", c) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z')
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// runsView is what the template of the page shows.
type runsView struct {
	Frame    frame
	Count    string
	Headline []span
	More     string
	Asked    asked
	Wrong    string // what the filter or order is refused for
	Offered  []string
	Heads    []head
	Rows     []row
	Wide     bool // wider than a screen: the table scrolls in a box of its own
	Parallel *figure
	Next     string
	First    string
}

// head is the head of a column.
type head struct {
	Name, Href string
	Sorted     string // ascending, descending or empty
	Number     bool
}

// row is a run.
type row struct {
	Ref, Short, Name, Href, Version string
	Best                            bool
	Mark                            event.Mark // of a run that has not finished well; else empty
	Word                            string
	Cells                           []cellOf
}

// cellOf is a value; Interval is drawn behind it.
type cellOf struct {
	Text, Interval string
	Number         bool
}

// runs shows an experiment's runs; without one, the experiments.
func (p *pages) runs(w http.ResponseWriter, r *http.Request) {
	a := readAsked(r.URL.Query())
	if a.Experiment == "" {
		p.experiments(w, r)
		return
	}
	e, err := p.space(r.Context(), a.Experiment)
	if err == nil {
		a.Experiment = e.Name
	}
	f := frame{
		Title: "Runs · " + a.Experiment, Here: "runs", Experiment: a.Experiment, Command: a.command(), Stream: living,
		Crumbs: []crumb{{"Flyball", "/"}, {"Experiments", "/runs"}, {a.Experiment, ""}},
	}
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v := runsView{Frame: f, Asked: a}
	status := http.StatusOK
	list, err := p.list(r.Context(), a)
	if wrong, is := errors.AsType[*fault.Error](err); is && wrong.Kind == fault.Invalid {
		v.Wrong, status = wrong.What, http.StatusBadRequest
	} else if err != nil {
		p.broken(w, r, err)
		return
	} else if pieceAsked(r.Context()) == nil { // the chart stays as it is
		err = p.draw(r.Context(), &v)
	}
	if err == nil || v.Wrong != "" {
		err = p.offer(r.Context(), &v, e.ID)
	}
	if err != nil {
		p.broken(w, r, err)
		return
	}
	v.fill(list)
	p.show(w, r, status, "runs.html", v)
}

// space is the experiment of a name, or of a number when none has that name.
func (p *pages) space(ctx context.Context, name string) (experiment.Experiment, error) {
	e, err := p.Experiments.ExperimentByName(ctx, name)
	if id, wrong := experiment.ParseExperimentID(name); fault.Is(err, fault.NotFound) && wrong == nil {
		return p.Experiments.Experiment(ctx, id)
	}
	return e, err
}

// list finds the runs. What they are sorted by is always a column.
func (p *pages) list(ctx context.Context, a asked) (compare.List, error) {
	l, err := p.Finder.List(ctx, a.ask(pageRows))
	kind, key := a.sorted()
	by := kind + "." + key
	if err != nil || kind == "" || slices.Contains(l.Columns, by) {
		return l, err
	}
	a.Columns = append([]string{by}, l.Columns...)
	return p.Finder.List(ctx, a.ask(pageRows))
}

// sorted is what the runs are sorted by, when that is a metric or a param.
func (a asked) sorted() (kind, key string) {
	clause := strings.TrimSuffix(strings.TrimSuffix(a.Sort, " ASC"), " DESC")
	kind, key, _ = strings.Cut(clause, ".")
	if kind != "metrics" && kind != "params" {
		return "", ""
	}
	return kind, untick(key)
}

// lower reports whether less of a metric is better: what Flyball knows; else, when the
// runs are sorted by it, the first is the best; else as its name tells.
func (a asked) lower(metric string) bool {
	if evaluation.Known(metric) {
		return evaluation.LowerIsBetter(metric)
	}
	if kind, key := a.sorted(); kind == "metrics" && key == metric {
		return !strings.HasSuffix(a.Sort, " DESC")
	}
	for _, word := range []string{"loss", "rmse", "mae", "mse", "error", "brier", "ece", "deviance"} {
		if strings.Contains(strings.ToLower(metric), word) {
			return true
		}
	}
	return false
}

// offer lists names for the box of columns.
func (p *pages) offer(ctx context.Context, v *runsView, id ident.ExperimentID) error {
	metrics, err := p.Names.MetricKeys(ctx, id, "", offeredNames)
	if err != nil {
		return err
	}
	params, err := p.Names.ParamKeys(ctx, id, "", offeredNames)
	if err != nil {
		return err
	}
	for _, m := range metrics {
		v.Offered = append(v.Offered, "metrics."+m)
	}
	for _, k := range params {
		v.Offered = append(v.Offered, "params."+k)
	}
	return nil
}

// fill turns a list into the table and its sentence.
func (v *runsView) fill(l compare.List) {
	v.Count = unit.Count(len(l.Runs))
	distances := slices.ContainsFunc(l.Runs, func(r compare.Row) bool { return r.Distance != nil })
	v.Heads = v.heads(l, distances)
	best := bestOf(l)
	digits := digitsOf(l)
	for i, r := range l.Runs {
		v.Rows = append(v.Rows, rowOf(r, l.Columns, digits, distances, i == best))
	}
	v.Wide = wide(v.Heads, v.Rows)
	v.Headline, v.More = v.headline(l)
	if l.Next != "" {
		v.Next = v.Asked.href(func(a *asked) { a.Token = l.Next })
	}
	if v.Asked.Token != "" {
		v.First = v.Asked.href(func(a *asked) { a.Token = "" })
	}
}

// bestOf is the run that lies furthest on the good side of the reference; -1: none.
func bestOf(l compare.List) int {
	best := -1
	for i, r := range l.Runs {
		if r.Distance != nil && (best < 0 || r.Distance.Value > l.Runs[best].Distance.Value) {
			best = i
		}
	}
	return best
}

// headline is the sentence above the table, made of the values in it.
func (v *runsView) headline(l compare.List) (sentence []span, more string) {
	switch {
	case v.Wrong != "":
		return []span{{"What is asked for cannot be read.", false}}, "Nothing was searched."
	case len(l.Runs) == 0 && (v.Asked.Filter != "" || v.Asked.Token != ""):
		return []span{{"No run is like that.", false}}, "The filter leaves out every run of this experiment."
	case len(l.Runs) == 0:
		return []span{{"No run yet.", false}}, "Nothing was logged to this experiment."
	case l.Sentence != "":
		lead, rest, found := strings.Cut(l.Sentence, ". ")
		if !found {
			return []span{{l.Sentence, true}}, against(l)
		}
		return []span{{lead + ".", true}, {" " + rest, false}}, against(l)
	}
	many := v.Count + " runs"
	if len(l.Runs) == 1 {
		many = "1 run"
	}
	if l.Next != "" {
		many = "The first " + many + " of more"
	}
	return []span{{many + ".", true}, {" What they say cannot be held against a baseline: they keep no predictions on its rows.", false}},
		"flyball.log_predictions, or a training of the loop, keeps them."
}

func against(l compare.List) string {
	if l.Against == nil {
		return "Values are as the runs logged them."
	}
	return "“Against " + l.Against.Name + "” is turned so that positive is better; where an interval stands, both predicted the same rows."
}

func (v *runsView) heads(l compare.List, distances bool) []head {
	out := []head{v.head("Run", "attributes.run_name", false)}
	if distances && l.Against != nil {
		out = append(out, head{Name: "Against " + l.Against.Name, Number: true})
	}
	for _, c := range l.Columns {
		kind, key, _ := strings.Cut(c, ".")
		out = append(out, v.head(key, kind+"."+tick(key), kind == "metrics"))
	}
	return append(out, head{Name: "Took", Number: true}, v.head("By", "attributes.user_id", false), v.head("At", startTime, true))
}

// head is a column whose name sorts by it, and by it the other way round at the next
// press.
func (v *runsView) head(name, key string, number bool) head {
	h := head{Name: middle(name, 36), Number: number}
	way := "DESC"
	if !number {
		way = "ASC"
	}
	switch cmp.Or(v.Asked.Sort, newestFirst) {
	case key + " ASC":
		h.Sorted, way = "ascending", "DESC"
	case key + " DESC":
		h.Sorted, way = "descending", "ASC"
	}
	h.Href = v.Asked.href(func(a *asked) { a.Sort, a.Token = key+" "+way, "" })
	return h
}

func rowOf(r compare.Row, columns []string, digits map[string]int, distances, best bool) row {
	out := row{Ref: "run:" + r.ID, Short: short(r.ID), Name: clip(r.Name, 40), Href: runPage(r.ID), Version: r.Version, Best: best}
	out.Mark, out.Word = standOf(r.Status)
	if distances {
		out.Cells = append(out.Cells, distanceOf(r.Distance))
	}
	for _, c := range columns {
		kind, key, _ := strings.Cut(c, ".")
		switch kind {
		case "metrics":
			text := "–"
			if v := r.Metrics[key]; v != nil {
				text = figureOf(*v, digits[key])
			}
			out.Cells = append(out.Cells, cellOf{Text: text, Number: true})
		case "params":
			out.Cells = append(out.Cells, textOf(r.Params[key]))
		case "tags":
			out.Cells = append(out.Cells, textOf(r.Tags[key]))
		}
	}
	out.Cells = append(out.Cells, cellOf{Text: took(r.Start, r.End), Number: true}, cellOf{Text: clip(r.User, 30)}, cellOf{Text: moment(r.Start), Number: true})
	return out
}

func distanceOf(d *compare.Distance) cellOf {
	if d == nil {
		return cellOf{Text: "–", Number: true}
	}
	if d.Low == nil || d.High == nil {
		return cellOf{Text: unit.Signed(d.Value, unit.Digits(math.Abs(d.Own))), Number: true}
	}
	digits := unit.FineDigits(math.Abs(d.Own), *d.Low, *d.High)
	return cellOf{Text: unit.Signed(d.Value, digits), Interval: "(" + unit.Signed(*d.Low, digits) + "…" + unit.Signed(*d.High, digits) + ")", Number: true}
}

func runPage(id string) string { return "/run?" + url.Values{"id": {id}}.Encode() }
