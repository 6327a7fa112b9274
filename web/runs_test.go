// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/api"
	"flyball/api/wire"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
)

// shelf is a finder over fixed records.
type shelf struct {
	list     compare.List
	parallel compare.Parallel
	detail   compare.Detail
	points   []compare.Point
	report   compare.Report
	several  compare.Report
	asked    *compare.Ask
}

func (s shelf) List(_ context.Context, a compare.Ask) (compare.List, error) {
	*s.asked = a
	if strings.Contains(a.Filter, "bad") {
		return compare.List{}, fault.New(fault.Invalid, "Invalid clause(s) in filter string: 'bad'")
	}
	out := s.list
	if len(a.Columns) > 0 {
		out.Columns = a.Columns
	}
	return out, nil
}

func (s shelf) Parallel(context.Context, compare.Ask) (compare.Parallel, error) {
	return s.parallel, nil
}

func (s shelf) Run(_ context.Context, ref string) (compare.Detail, error) {
	if ref != s.detail.ID {
		return compare.Detail{}, fault.New(fault.NotFound, "no run begins with %s", ref)
	}
	return s.detail, nil
}

func (s shelf) Curve(context.Context, string, string, int) ([]compare.Point, error) {
	return s.points, nil
}

func (s shelf) Compare(_ context.Context, q compare.Question) (compare.Report, error) {
	if len(q.Refs) < 2 && q.Against == "" {
		return compare.Report{}, fault.New(fault.Invalid, "a comparison needs two").Do("name another")
	}
	if len(q.Refs) > 2 {
		return s.several, nil
	}
	return s.report, nil
}

// spaces is one experiment, seeded, in which names are known.
type spaces struct{}

func (spaces) ExperimentByName(_ context.Context, name string) (experiment.Experiment, error) {
	if name != "hotel <b>" {
		return experiment.Experiment{}, fault.New(fault.NotFound, "Could not find experiment with name '%s'", name)
	}
	return experiment.Experiment{ID: 3, Name: name}, nil
}

func (spaces) Experiment(_ context.Context, id ident.ExperimentID) (experiment.Experiment, error) {
	if id != 3 {
		return experiment.Experiment{}, fault.New(fault.NotFound, "No Experiment with id=%s exists", id)
	}
	return experiment.Experiment{ID: 3, Name: "hotel <b>"}, nil
}

func (spaces) SearchExperiments(context.Context, experiment.Ask) ([]experiment.Experiment, string, error) {
	return []experiment.Experiment{{ID: 3, Name: "hotel <b>", Created: 1_700_000_000_000, Updated: 1_700_000_000_000}, {ID: 0, Name: "Default"}}, "", nil
}

func (spaces) MetricKeys(context.Context, ident.ExperimentID, string, int) ([]string, error) {
	return []string{"auc", "log_loss"}, nil
}

func (spaces) ParamKeys(context.Context, ident.ExperimentID, string, int) ([]string, error) {
	return []string{"depth"}, nil
}

func num(v float64) *float64 { return &v }

// fixed are records with what is hard to show.
func fixed(asked *compare.Ask) shelf {
	start := time.Date(2017, 3, 1, 11, 5, 0, 0, time.UTC)
	d := evaluation.Difference{Metric: "auc", Candidate: 0.8336, Other: 0.8155, Value: 0.0182, Low: 0.0097, High: 0.0268, Rows: 3535, Blocks: 3500}
	worse := evaluation.Difference{Metric: "log_loss", Candidate: 0.3666, Other: 0.3564, Value: -0.0102, Low: -0.016, High: 0.0037, Rows: 3535, Blocks: 3500}
	row := func(id, name string, auc *float64, depth string, dist *compare.Distance) compare.Row {
		return compare.Row{
			ID: id + strings.Repeat("0", 28), Name: name, Status: "FINISHED", User: "ana", Start: start, End: start.Add(1100 * time.Millisecond),
			Metrics: map[string]*float64{"auc": auc}, Params: map[string]string{"depth": depth}, Distance: dist,
		}
	}
	s := shelf{asked: asked}
	s.list = compare.List{
		Experiment: "hotel <b>", Columns: []string{"metrics.auc", "params.depth"}, Next: "token+/=",
		Sentence: "1 of 2 runs is better than the constant, 1 by more than chance allows. The best, 7c1e0000, has auc 0.8336, better by 0.0182 on 3,535 rows.",
		Against:  &compare.Shown{Name: "the constant"},
		Runs: []compare.Row{
			row("7c1e", "brave-otter", num(0.8336), "5", &compare.Distance{Metric: "auc", Own: 0.8336, Value: 0.0182, Low: num(0.0097), High: num(0.0268), Rows: 3535, Decision: gate.Superior}),
			row("9890", "<script>alert(1)</script>", nil, "", &compare.Distance{Metric: "auc", Own: 0.81, Value: -0.0055}),
			row("3670", strings.Repeat("long ", 30), num(0.8298), "8", nil),
		},
	}
	for i, v := range []float64{0.8336, 0.81, 0.8298} {
		s.parallel.Lines = append(s.parallel.Lines, compare.Line{Run: s.list.Runs[i].ID, Values: []*float64{num(float64(3 + i)), num(float64(i % 2)), num(v)}})
	}
	s.parallel.Axes = []compare.Axis{{Name: "params.depth", Low: 3, High: 5}, {Name: "params.agency", Words: []string{"with", "without"}}, {Name: "metrics.auc", Low: 0.81, High: 0.8336}}
	s.detail = compare.Detail{
		Row: s.list.Runs[0], ExperimentName: "hotel <b>", All: []compare.Value{{Key: "depth", Value: "5"}}, AllTags: []compare.Value{{Key: "note", Value: "<i>"}},
		AllMetrics: []compare.MetricValue{{Key: "auc", Value: num(0.8336)}, {Key: "loss", Value: num(0.2), Step: 9}, {Key: "odd"}}, Predictions: &compare.Predictions{Rows: 3535},
	}
	for i := range int64(10) {
		s.points = append(s.points, compare.Point{Step: i, Value: num(1 / float64(i+1))})
	}
	s.points[4].Value = nil
	curves := &compare.Curves{ROC: []compare.ROCPoint{{}, {FalsePositives: 0.5, TruePositives: 0.8}, {FalsePositives: 1, TruePositives: 1}}, Calibration: []compare.Tenth{{Rows: 100, Said: 0.1, Was: 0.12, Low: 0.1, High: 0.14}, {Rows: 100, Said: 0.8, Was: 0.7, Low: 0.65, High: 0.75}}}
	text := "12"
	s.report = compare.Report{
		Sentence: "v13 is better than v12 by 0.0182 auc (95 %: 0.0097…0.0268) on 3,535 rows that both predicted.", Better: true, Primary: "auc",
		Subjects: []compare.Shown{{Name: "v12", Is: []string{"live"}, Rows: 3535}, {Name: "v13", Run: s.detail.ID, Rows: 3535, Note: "Its rows come in blocks."}},
		Differs:  []compare.Fact{{Kind: "param", Key: "depth", Values: []*string{&text, nil}}, {Kind: "data", Key: "snapshot", Values: []*string{&text, &text}}}, Equal: 41,
		Logged: []compare.LoggedValue{{Key: "auc", Values: []*compare.Logged{{Value: num(0.8155)}, nil}}},
		Pairs: []compare.Pair{{
			Name: "v13", Against: "v12", Sentence: "v13 is better than v12 by 0.0182 auc (95 %: 0.0097…0.0268) on 3,535 rows that both predicted.", Decision: gate.Superior,
			Rows: 3535, Blocks: 3500, Positives: 648, Curves: map[string]*compare.Curves{"v12": curves, "v13": curves},
			Metrics: []compare.Judged{
				{Metric: "auc", Candidate: &evaluation.Estimate{Value: 0.8336}, Reference: &evaluation.Estimate{Value: 0.8155}, Difference: &d, Decision: gate.Superior},
				{Metric: "log_loss", LowerIsBetter: true, Difference: &worse, Margin: 0.005, Decision: gate.Inconclusive, Text: "log_loss: about 900 more rows would tell"},
			},
			Slices: []compare.Slice{
				{Column: "hotel", Value: "City", Rows: 1844, Difference: &d, Decision: gate.Superior},
				{Column: "hotel", Value: "Resort", Rows: 37, NotJudged: true, Text: "not judged (n=37)"},
				{Column: "segment", Value: "Direct", Rows: 784, Difference: &worse, Decision: gate.Inconclusive},
			},
			Judged: 2, Where: &compare.Where{Rows: 3535, Changed: 84, ToYes: compare.Change{Rows: 35, Right: 23}, ToNo: compare.Change{Rows: 49, Right: 34}},
		}},
	}
	s.report.Pairs[0].Where.P = num(0.0004)
	s.report.Pairs[0].Where.Examples = []compare.Example{{Key: "b<i>", Label: 1, Reference: 0.2, Candidate: 0.7}}
	curves.Thresholds = []compare.Threshold{{Above: 0.5, Yes: 0.2, Precision: 0.6, Recall: 0.7, Accuracy: 0.8}, {Above: 0.95}}
	s.several = several()
	return s
}

// several are three versions of a number against a fourth: one that chance may explain,
// one that is not worse, and one of which there is nothing to compare.
func several() compare.Report {
	d := evaluation.Difference{Metric: "mae", Candidate: 15.9, Other: 16.1, Value: 0.2, Low: -0.3, High: 0.7, Rows: 1500}
	near, far := &compare.Curves{}, &compare.Curves{}
	for i, p := range []float64{0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99} {
		near.Errors = append(near.Errors, compare.Quantile{Share: p, Value: float64(i-4) * 5})
		far.Errors = append(far.Errors, compare.Quantile{Share: p, Value: float64(i-3) * 9})
	}
	pair := func(name string, j compare.Judged) compare.Pair {
		return compare.Pair{
			Name: name, Against: "v1", Kind: dataset.Regression, Sentence: name + " is much like v1.", Rows: 1500, Blocks: 1500, Metrics: []compare.Judged{j}, Notes: []string{"3 rows were left out"},
			Curves: map[string]*compare.Curves{"v1": far, name: near}, Where: &compare.Where{Rows: 1500, Examples: []compare.Example{{Key: "1", Label: 1200, Reference: 1000, Candidate: 1300.5}}},
		}
	}
	r := compare.Report{Sentence: "None of 3 is better than v1 by more than chance allows.", Equal: 1}
	for _, v := range []string{"v1", "v2", "v3", "v4"} {
		r.Subjects = append(r.Subjects, compare.Shown{Ref: "bikes@" + v[1:], Name: v})
	}
	r.Pairs = []compare.Pair{
		pair("v2", compare.Judged{Metric: "mae", LowerIsBetter: true, Difference: &d, Decision: gate.Inconclusive, Needs: 8712}),
		pair("v3", compare.Judged{Metric: "mae", LowerIsBetter: true, Difference: &d, Margin: 0.5, Decision: gate.NonInferior}),
		{Name: "v4", Against: "v1", Sentence: "v4 keeps no predictions."},
	}
	return r
}

// library is a server of the pages over fixed runs.
func library(t *testing.T, s shelf) string {
	t.Helper()
	mux := api.NewRoutes(nil)
	err := New(mux, Options{
		Statuses:   func(context.Context) ([]wire.Status, error) { return nil, nil },
		LastEvents: func(context.Context, string, int) ([]event.Event, error) { return nil, nil },
		Changed:    never, Logger: slog.New(slog.DiscardHandler), Experiments: spaces{}, Names: spaces{}, Finder: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() { http.DefaultClient.CloseIdleConnections(); server.Close() })
	return server.URL
}

func TestThePagesOfRunsAreTheSameForTheSameRecords(t *testing.T) {
	var asked compare.Ask
	s := fixed(&asked)
	url := library(t, s)
	for name, path := range map[string]string{
		"experiments": "/runs",
		"runs":        "/runs?experiment=hotel+%3Cb%3E&sort=metrics.%60auc%60+DESC",
		"run":         "/run?id=" + s.detail.ID,
		"compare":     "/compare?ref=hotel@12&ref=hotel@13&experiment=hotel+%3Cb%3E",
		"several":     "/compare?ref=bikes@1&ref=bikes@2&ref=bikes@3&ref=bikes@4&experiment=hotel+%3Cb%3E",
	} {
		t.Run(name, func(t *testing.T) {
			res, got := get(t, url+path)
			if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'self'") {
				t.Errorf("got %s, %q", res.Status, res.Header.Get("Content-Security-Policy"))
			}
			for _, never := range []string{"<script>alert", "<b>&lt;", "style=", "http://", "https://", "NaN"} {
				if strings.Contains(got, never) {
					t.Errorf("the page holds %q", never)
				}
			}
			wellFormed(t, got)
			golden := filepath.Join("testdata", name+".html")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != got {
				t.Errorf("%v: the page is another than %s; go test ./web -update writes it anew:\n%s", err, golden, got)
			}
		})
	}
}

func TestTheSentenceOfRunsSaysWhatTheTableShows(t *testing.T) {
	var asked compare.Ask
	whole := fixed(&asked).list
	short := whole
	short.Sentence, short.Next = "", ""
	none := compare.List{}
	for _, c := range []struct {
		name string
		list compare.List
		view runsView
		want string
	}{
		{"measured runs", whole, runsView{}, "1 of 2 runs is better than the constant, 1 by more than chance allows. The best, 7c1e0000, has auc 0.8336, better by 0.0182 on 3,535 rows."},
		{"runs without predictions", short, runsView{Count: "3"}, "3 runs. What they say cannot be held against a baseline: they keep no predictions on its rows."},
		{"nothing at all", none, runsView{}, "No run yet."},
		{"nothing like that", none, runsView{Asked: asked0("params.depth = '9'")}, "No run is like that."},
		{"a filter that is none", none, runsView{Wrong: "x"}, "What is asked for cannot be read."},
	} {
		t.Run(c.name, func(t *testing.T) {
			spans, _ := c.view.headline(c.list)
			got := ""
			for _, s := range spans {
				got += s.Text
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func asked0(filter string) asked { return asked{Experiment: "hotel", Filter: filter} }

func TestTheAddressOfAPageIsWhatIsAsked(t *testing.T) {
	var got compare.Ask
	url := library(t, fixed(&got))
	get(t, url+"/runs?experiment=hotel+%3Cb%3E&filter=metrics.auc+%3E+0.8&sort=metrics.%60auc%60+ASC&column=params.depth&column=&page=abc")
	want := compare.Ask{
		Experiment: "hotel <b>", Filter: "metrics.auc > 0.8", Order: []string{"metrics.`auc` ASC"}, Columns: []string{"metrics.auc", "params.depth"},
		Page: experiment.Page{Limit: 100, Token: "abc"},
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got %s, want %s: what is sorted by is a column", a, b)
	}
}

func TestWhatCannotBeShownSaysWhyAndWhatToDo(t *testing.T) {
	var asked compare.Ask
	url := library(t, fixed(&asked))
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/runs?experiment=3", 200, "Runs · hotel &lt;b&gt;"},
		{"/runs?experiment=4", 404, "No Experiment with id=4 exists"},
		{"/runs?experiment=nope", 404, "Could not find experiment with name &#39;nope&#39;"},
		{"/runs?experiment=hotel+%3Cb%3E&filter=bad", 400, "Invalid clause(s) in filter string: &#39;bad&#39;"},
		{"/run?id=%3Cscript%3E", 404, "no run begins with &lt;script&gt;"},
		{"/run", 404, "no run begins with"},
		{"/compare", 400, "Do: name another"},
		{"/compare?ref=a", 400, "a comparison needs two"},
	} {
		res, got := get(t, url+c.path)
		if res.StatusCode != c.status || !strings.Contains(got, c.want) || !strings.Contains(got, "<h1>") {
			t.Errorf("%s: got %d, want %d and %q", c.path, res.StatusCode, c.status, c.want)
		}
		wellFormed(t, got)
	}
}

func TestAWordIsQuotedForTheShellWhereItMustBe(t *testing.T) {
	for word, want := range map[string]string{"hotel-cancel@7": "hotel-cancel@7", "it's": `'it'\''s'`, "": "''", "a b": "'a b'", "run:8f": "run:8f", "$(rm)": "'$(rm)'"} {
		if got := shell(word); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHowLongARunTookIsSaidInItsOwnUnit(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for after, want := range map[time.Duration]string{-time.Second: "–", 1100 * time.Millisecond: "1.1\u00a0s", 90 * time.Second: "2\u00a0min", 90 * time.Minute: "1.5\u00a0h"} {
		if got := took(start, start.Add(after)); got != want {
			t.Errorf("%s: got %s, want %s", after, got, want)
		}
	}
	if got := took(time.Time{}, start); got != "–" {
		t.Errorf("a run without a start: got %s", fmt.Sprint(got))
	}
}
