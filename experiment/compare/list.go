// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"flyball/experiment"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
	"flyball/unit"
)

// The most columns that are chosen where nobody chose, and bytes of a value in one.
const mostParams, mostMetrics, mostLong = 8, 4, 40

// Ask asks for a list of runs.
type Ask struct {
	Experiment string   // its name or id, or that of a model; empty: all experiments
	Filter     string   // in MLflow's language
	Order      []string // MLflow's order_by clauses; none: the newest first
	Columns    []string // params.depth, metrics.auc, tags.note; none: those that vary
	Against    string   // baseline, live, constant, a reference, or none
	Metric     string   // of the distance; empty: the gate's first, or the usual one
	experiment.Page
}

// List is a page of runs, each with its distance from a reference.
type List struct {
	Experiment string   `json:"experiment,omitempty"`
	Sentence   string   `json:"sentence,omitempty" doc:"how the runs of this page stand to the reference"`
	Against    *Shown   `json:"against,omitempty" doc:"what the distances are measured from"`
	Columns    []string `json:"columns" doc:"the params, metrics and tags that the rows show"`
	Runs       []Row    `json:"runs"`
	Next       string   `json:"next_page_token,omitempty"`
}

// Row is one run.
type Row struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Experiment string              `json:"experiment" doc:"its id"`
	Status     string              `json:"status"`
	User       string              `json:"user,omitempty"`
	Start      time.Time           `json:"start,omitzero"`
	End        time.Time           `json:"end,omitzero"`
	Version    string              `json:"version,omitempty" doc:"that it made"`
	Source     string              `json:"source,omitempty"`
	Params     map[string]string   `json:"params,omitempty"`
	Metrics    map[string]*float64 `json:"metrics,omitempty" doc:"null where it is not a number"`
	Tags       map[string]string   `json:"tags,omitempty"`
	Distance   *Distance           `json:"distance,omitempty"`
}

// Distance is how far a run lies from the reference, turned so that positive is
// better.
type Distance struct {
	Metric   string        `json:"metric"`
	Own      float64       `json:"own" doc:"the run's value"`
	Value    float64       `json:"value"`
	Low      *float64      `json:"low,omitempty" doc:"of the 95 % interval; absent: from logged values, which tell nothing about chance"`
	High     *float64      `json:"high,omitempty"`
	Rows     int           `json:"rows,omitempty" doc:"that both have"`
	Decision gate.Decision `json:"decision,omitempty"`
}

// status is the word of MLflow for where a run stands.
func status(s experiment.Status) string {
	return [...]string{"", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}[min(s, experiment.Killed)]
}

// List finds runs.
func (f *Finder) List(ctx context.Context, a Ask) (List, error) {
	out := List{Runs: []Row{}, Columns: []string{}}
	ids, only, err := f.scope(ctx, a.Experiment)
	if err != nil {
		return out, err
	}
	if len(a.Order) == 0 {
		a.Order = []string{"attributes.start_time DESC"}
	}
	runs, next, err := f.Tracker.SearchRuns(ctx, experiment.Ask{Experiments: ids, Filter: a.Filter, Order: a.Order, Page: a.Page})
	if err != nil {
		return out, err
	}
	out.Next = next
	if out.Columns = a.Columns; len(a.Columns) == 0 {
		out.Columns = Columns(runs)
	}
	if err := checkColumns(out.Columns); err != nil {
		return out, err
	}
	for _, r := range runs {
		out.Runs = append(out.Runs, row(r, out.Columns))
	}
	if only != nil {
		out.Experiment = only.Name
	}
	return out, f.distancesOf(ctx, a, only, runs, &out)
}

// scope is the experiments that are meant, and the one when it is one.
func (f *Finder) scope(ctx context.Context, name string) ([]ident.ExperimentID, *experiment.Experiment, error) {
	if name == "" {
		ids, err := f.experiments(ctx)
		return ids, nil, err
	}
	e, err := f.Tracker.ExperimentByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		if id, bad := experiment.ParseExperimentID(name); bad == nil {
			e, err = f.Tracker.Experiment(ctx, id)
		}
	}
	if fault.Is(err, fault.NotFound) {
		return nil, nil, fault.New(fault.NotFound, "there is no experiment %q", name).Do("see flyball runs without a name")
	}
	if err != nil {
		return nil, nil, err
	}
	return []ident.ExperimentID{e.ID}, &e, nil
}

func row(r experiment.Run, columns []string) Row {
	out := Row{
		ID: string(r.ID), Name: r.Name, Experiment: r.Experiment.String(), Status: status(r.Status), User: r.User, Start: moment(r.Start), End: moment(r.End),
		Version: tagOf(r, versionTag), Source: tagOf(r, "mlflow.source.name"), Params: map[string]string{}, Metrics: map[string]*float64{}, Tags: map[string]string{},
	}
	for _, p := range r.Params {
		if slices.Contains(columns, "params."+p.Key) {
			out.Params[p.Key] = p.Value
		}
	}
	for _, m := range r.Metrics {
		if slices.Contains(columns, "metrics."+m.Key) {
			out.Metrics[m.Key] = latest(m).Value
		}
	}
	for _, t := range r.Tags {
		if slices.Contains(columns, "tags."+t.Key) {
			out.Tags[t.Key] = t.Value
		}
	}
	return out
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func checkColumns(columns []string) error {
	if len(columns) > 100 {
		return fault.New(fault.Invalid, "%d columns; at most 100 are shown", len(columns))
	}
	for _, c := range columns {
		kind, key, _ := strings.Cut(c, ".")
		if kind != "params" && kind != "metrics" && kind != "tags" || key == "" {
			return fault.New(fault.Invalid, "%q is no column", c).Do("write params.depth, metrics.auc or tags.note")
		}
	}
	return nil
}

// Columns are those that tell runs apart: params that are not the same for all, those
// that most runs have first, and the metrics that most have.
func Columns(runs []experiment.Run) []string {
	var out []string
	params := map[string]map[string]int{} // values of a key, and how many runs have each
	metrics := map[string]int{}
	for _, r := range runs {
		for _, p := range r.Params {
			if params[p.Key] == nil {
				params[p.Key] = map[string]int{}
			}
			params[p.Key][p.Value]++
		}
		for _, m := range r.Metrics {
			metrics[m.Key]++
		}
	}
	have := map[string]int{}
	for k, values := range params {
		n := 0
		for _, c := range values {
			n += c
		}
		long := slices.ContainsFunc(slices.Collect(maps.Keys(values)), func(v string) bool { return len(v) > mostLong })
		if !long && (len(values) > 1 || n < len(runs)) {
			have[k] = n
		}
	}
	usual := []string{"log_loss", "auc", "mae", "rmse", "brier", "accuracy"}
	rank := func(key string) int {
		if i := slices.Index(usual, key); i >= 0 {
			return i
		}
		return len(usual)
	}
	byRank := slices.SortedFunc(maps.Keys(metrics), func(a, b string) int {
		return cmp.Or(metrics[b]-metrics[a], rank(a)-rank(b), strings.Compare(a, b))
	})
	for _, k := range byRank[:min(len(byRank), mostMetrics)] {
		out = append(out, "metrics."+k)
	}
	byCount := slices.SortedFunc(maps.Keys(have), func(a, b string) int { return cmp.Or(have[b]-have[a], strings.Compare(a, b)) })
	for _, k := range byCount[:min(len(byCount), mostParams)] {
		out = append(out, "params."+k)
	}
	return out
}

// sentence says how a page of runs stands to the reference; empty where no run could
// be measured.
func (l List) sentence() string {
	measured, above, surely, best := 0, 0, 0, -1
	for i, r := range l.Runs {
		if r.Distance == nil || r.Distance.Low == nil {
			continue
		}
		measured++
		if r.Distance.Value > 0 {
			above++
		}
		if r.Distance.Decision == gate.Superior {
			surely++
		}
		if best < 0 || r.Distance.Value > l.Runs[best].Distance.Value {
			best = i
		}
	}
	if measured == 0 {
		return ""
	}
	d := l.Runs[best].Distance
	digits := unit.FineDigits(math.Abs(d.Own), *d.Low, *d.High)
	text := fmt.Sprintf("%d of %d runs %s better than %s, %d by more than chance allows.", above, measured, be(above), l.Against.Name, surely)
	word := "better by " + unit.Fixed(d.Value, digits)
	if d.Value < 0 {
		word = "worse by " + unit.Fixed(-d.Value, digits)
	}
	return text + fmt.Sprintf(" The best, %s, has %s %s, %s on %s rows.", short8(l.Runs[best].ID), d.Metric, unit.Fixed(d.Own, unit.Digits(d.Own)), word, unit.Count(d.Rows))
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func short8(id string) string { return id[:min(8, len(id))] }
