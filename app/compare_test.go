// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"flyball/client"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/ident"
)

// logRun logs a run as a client would, with predictions that are off by some.
func (s *server) logRun(t *testing.T, experimentID ident.ExperimentID, id ident.RunID, of *compare.Evaluation, off float64, tags ...experiment.Tag) {
	t.Helper()
	run := experiment.Run{
		ID: id, Experiment: experimentID, Name: "from-a-notebook", Status: experiment.Finished, Start: s.at.UnixMilli(),
		Location: fmt.Sprintf("mlflow-artifacts:/%s/%s/artifacts", experimentID, id), Params: []experiment.Param{{Key: "depth", Value: "9"}},
		Metrics: []experiment.Metric{{Key: "mae", Value: off, Step: 1}, {Key: "mae", Value: off, Step: 2}, {Key: "val/loss", Value: math.NaN()}},
		Tags:    append(tags, experiment.Tag{Key: experiment.NameTag, Value: "from-a-notebook"}),
	}
	if err := s.tracker.Runs.CreateRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if of == nil {
		return
	}
	var rows strings.Builder
	rows.WriteString("key,label,prediction\n")
	for i, key := range of.Keys {
		fmt.Fprintf(&rows, "%s,%v,%v\n", key, of.Truth[i], of.Truth[i]+off*float64(i%3-1))
	}
	for name, b := range map[string]string{compare.ManifestFile: `{"format":1,"kind":"regression"}`, compare.PredictionsFile: rows.String()} {
		if _, err := s.artifacts.Put(t.Context(), fmt.Sprintf("%s/%s/artifacts/%s", experimentID, id, name), strings.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRunsOfTheLoopAndOfPeopleAreComparedOnTheSameRows(t *testing.T) {
	s := begin(t, table(t, 1000))
	ctx := t.Context()
	list, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand"})
	if err != nil || len(list.Runs) != 1 || list.Runs[0].Version != "demand@1" || list.Against.Name != "the constant" {
		t.Fatalf("got %+v, %v", list, err)
	}
	if d := list.Runs[0].Distance; d == nil || d.Metric != "mae" || d.Low == nil || d.Decision != gate.Superior || d.Rows == 0 {
		t.Errorf("the distance from the constant: %+v", d)
	}
	if want := "1 of 1 runs is better than the constant, 1 by more than chance allows. The best, "; !strings.HasPrefix(list.Sentence, want) {
		t.Errorf("got %s", list.Sentence)
	}
	one, err := s.Client.Run(ctx, "demand@1")
	if err != nil || one.ExperimentName != "demand" || one.Predictions == nil || one.Predictions.Rows != list.Runs[0].Distance.Rows {
		t.Fatalf("got %+v, %v", one, err)
	}
	e, err := s.tracker.ExperimentByName(ctx, "demand")
	if err != nil {
		t.Fatal(err)
	}
	v1 := readBack(t, s, one.ID, e.ID)
	const good, bad, none = "aaaa1111aaaa1111aaaa1111aaaa1111", "aaaa2222aaaa2222aaaa2222aaaa2222", "bbbb0000bbbb0000bbbb0000bbbb0000"
	s.logRun(t, e.ID, good, v1, 0.01)
	s.logRun(t, e.ID, bad, v1, 9)
	s.logRun(t, e.ID, none, nil, 5)

	report, err := s.Client.Compare(ctx, []string{"aaaa1"}, "live", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "aaaa is better than v1 by "; !strings.HasPrefix(report.Sentence, want) || !report.Better || report.Primary != "mae" {
		t.Errorf("got %s", report.Sentence)
	}
	if j := report.Pairs[0].Metrics[0]; j.Margin != 0.1 || report.Pairs[0].Rows != one.Predictions.Rows {
		t.Errorf("the gate's margin is not taken: %+v", j)
	}
	for _, c := range []struct {
		name          string
		refs          []string
		against, want string
		kind          fault.Kind
	}{
		{"a prefix of two", []string{"aaaa"}, "live", "aaaa is the beginning of several runs: ", fault.Invalid},
		{"a prefix of none", []string{"cccc"}, "live", "no run begins with cccc", fault.NotFound},
		{"a version that is not there", []string{"demand@9"}, "live", "", fault.NotFound},
		{"an alias that is not there", []string{"demand@mine"}, "live", "no version of demand is mine", fault.NotFound},
		{"one alone", []string{"demand@1"}, "", "a comparison needs two", fault.Invalid},
		{"with itself", []string{"demand@1"}, "live", "demand@1 is compared with itself", fault.Invalid},
		{"of no model", []string{"@live", "aaaa1"}, "", "@live of which model?", fault.Invalid},
		{"nonsense", []string{"a b", "aaaa1"}, "", `"a b" names no run and no version`, fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Client.Compare(ctx, c.refs, c.against, "", "")
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("against the declared baseline", func(t *testing.T) {
		if err := s.tracker.SetExperimentTag(ctx, e.ID, experiment.Tag{Key: compare.BaselineTag, Value: bad}); err != nil {
			t.Fatal(err)
		}
		list, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand", OrderBy: []string{"metrics.mae"}})
		if err != nil || list.Against.Run != bad || len(list.Runs) != 4 {
			t.Fatalf("got %+v, %v", list, err)
		}
		for _, r := range list.Runs {
			switch d := r.Distance; r.ID {
			case bad:
				if d != nil {
					t.Errorf("the baseline from itself: %+v", d)
				}
			case none:
				if d == nil || d.Value != 4 || d.Low != nil || d.Metric != "mae" {
					t.Errorf("from logged values: %+v", d)
				}
			default:
				if d == nil || d.Decision != gate.Superior {
					t.Errorf("%s: %+v", r.ID, d)
				}
			}
		}
		report, err := s.Client.Compare(ctx, []string{good, none}, "baseline", "", "")
		if err != nil || !strings.HasPrefix(report.Sentence, "1 of 2 are better than aaaa2 by more than chance allows. The best: aaaa1 is better than aaaa2 by ") {
			t.Errorf("got %s, %v", report.Sentence, err)
		}
	})
	t.Run("against a declared baseline that is gone", func(t *testing.T) {
		if err := s.tracker.SetExperimentTag(ctx, e.ID, experiment.Tag{Key: compare.BaselineTag, Value: "ffff"}); err != nil {
			t.Fatal(err)
		}
		list, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand"})
		if err != nil || len(list.Runs) != 4 || !strings.HasPrefix(list.Sentence, "the baseline of demand, ffff, is not there") {
			t.Errorf("got %s, %v", list.Sentence, err)
		}
		if _, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand", Against: "ffff"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("asked for by hand: got %v", err)
		}
	})
	t.Run("found by a filter, with columns", func(t *testing.T) {
		list, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand", Filter: "params.depth = '9' AND metrics.mae > 1", Columns: "params.depth,metrics.mae", OrderBy: []string{"metrics.mae DESC"}, Against: "none", MaxResults: 1})
		if err != nil || len(list.Runs) != 1 || list.Runs[0].ID != bad || list.Runs[0].Params["depth"] != "9" || *list.Runs[0].Metrics["mae"] != 9 || list.Next == "" {
			t.Errorf("got %+v, %v", list, err)
		}
		_, err = s.Runs(ctx, client.RunsAsked{Experiment: "demand", Filter: "params.depth >"})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
		_, err = s.Runs(ctx, client.RunsAsked{Experiment: "nowhere"})
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v", err)
		}
		_, err = s.Runs(ctx, client.RunsAsked{Columns: "depth"})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("as lines", func(t *testing.T) {
		p, err := s.ParallelRuns(ctx, client.RunsAsked{Experiment: "demand", Metric: "mae"})
		if err != nil || len(p.Lines) != 4 || p.Axes[len(p.Axes)-1].Name != "metrics.mae" || p.Axes[len(p.Axes)-1].High != 9 {
			t.Fatalf("got %+v, %v", p, err)
		}
		if i := axis(p, "params.depth"); i < 0 || p.Axes[i].Low != 2 || p.Axes[i].High != 9 || p.Axes[i].Words != nil {
			t.Errorf("got %+v", p.Axes)
		}
	})
	t.Run("by a metric that there is not", func(t *testing.T) {
		_, err := s.Client.Compare(ctx, []string{"aaaa1"}, "live", "", "niceness")
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), `"niceness" is no metric that can be measured; take one of log_loss, `) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("predictions that cannot be read are told with their place", func(t *testing.T) {
		const broken = "dddd0000dddd0000dddd0000dddd0000"
		s.logRun(t, e.ID, broken, v1, 1)
		if _, err := s.artifacts.Put(ctx, e.ID.String()+"/"+broken+"/artifacts/"+compare.PredictionsFile, strings.NewReader("key,label,prediction\na,1,x\n")); err != nil {
			t.Fatal(err)
		}
		report, err := s.Client.Compare(ctx, []string{"dddd"}, "live", "", "")
		want := "The predictions of run:" + broken + ` cannot be used: evaluation/predictions.csv, line 2, column 5: the prediction "x" is not a decimal number.`
		if err != nil || report.Sentence != want || report.Better {
			t.Errorf("got %s, %v", report.Sentence, err)
		}
		list, err := s.Runs(ctx, client.RunsAsked{Experiment: "demand", Filter: "run_id = '" + broken + "'"})
		if err != nil || len(list.Runs) != 1 || list.Runs[0].Distance != nil {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("a version that a client registered, by the run in which it was judged", func(t *testing.T) {
		v := s.register(t, nil, "")
		_, err := s.Client.Compare(ctx, []string{v.Ref.String()}, "live", "", "")
		if err != nil {
			t.Fatal(err)
		}
		s.logRun(t, e.ID, "cccc0000cccc0000cccc0000cccc0000", v1, 0.5, experiment.Tag{Key: "flyball.version", Value: v.Ref.String()})
		report, err := s.Client.Compare(ctx, []string{v.Ref.String()}, "live", "", "")
		if err != nil || !strings.HasPrefix(report.Sentence, "v2 is better than v1 by ") || report.Subjects[1].Run != string(v.RunID) {
			t.Errorf("got %s, %v", report.Sentence, err)
		}
	})
	points, err := s.RunMetric(ctx, good, "val/loss", 10)
	if err != nil || len(points) != 1 || points[0].Value != nil {
		t.Errorf("got %+v, %v", points, err)
	}
	points, err = s.RunMetric(ctx, good, "mae", 10)
	if err != nil || len(points) != 2 || points[1].Step != 2 || *points[1].Value != 0.01 {
		t.Errorf("got %+v, %v", points, err)
	}
}

func axis(p compare.Parallel, name string) int {
	for i, a := range p.Axes {
		if a.Name == name {
			return i
		}
	}
	return -1
}

func readBack(t *testing.T, s *server, run string, id ident.ExperimentID) *compare.Evaluation {
	t.Helper()
	root := fmt.Sprintf("%s/%s/artifacts/", id, run)
	_, r, err := s.artifacts.Open(t.Context(), root+compare.PredictionsFileZip)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	m, err := compare.ReadManifest([]byte(`{"format":1,"kind":"regression"}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := compare.Read(m, compare.PredictionsFileZip, &b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
