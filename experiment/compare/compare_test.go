// SPDX-License-Identifier: Apache-2.0

package compare_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/experiment"
	"flyball/experiment/compare"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/unit"
)

// judged is what testdata/reference.py says of a difference.
type judged struct{ Value, Low, High, P, Holm float64 }

func reference(t *testing.T) (r struct {
	Binary struct {
		Rows, Positives, Blocks, Changed, Right int
		RowsJudged                              map[string]judged `json:"rows_judged"`
		BlocksJudged                            map[string]judged `json:"blocks_judged"`
		Parts                                   map[string]judged
		MidP                                    float64
	}
	Number struct {
		Rows   int
		MAE    judged
		RMSEA  float64 `json:"rmse_a"`
		RMSEB  float64 `json:"rmse_b"`
		Errors map[string]float64
	}
	Constant struct {
		Rows int
		MAE  judged
	}
},
) {
	t.Helper()
	raw, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// run is a subject of a file of predictions; without leaves a column out of the game.
func run(t *testing.T, name, manifest, file, without string) compare.Subject {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if without != "" {
		text = strings.Replace(text, without, without+" of old", 1)
	}
	e, err := read(manifest, text)
	if err != nil {
		t.Fatal(err)
	}
	return compare.Subject{Ref: "run:" + name, Name: name, Evaluation: e}
}

// near allows for what lies between a normal distribution and a t of very many rows.
func near(a, b float64) bool { return math.Abs(a-b) <= 2e-8*max(1, math.Abs(b)) }

func checkDifference(t *testing.T, name string, d *evaluation.Difference, want judged) {
	t.Helper()
	if d == nil {
		t.Errorf("%s: no difference", name)
	} else if !near(d.Value, want.Value) || !near(d.Low, want.Low) || !near(d.High, want.High) || math.Abs(d.P-want.P) > 1e-9 {
		t.Errorf("%s: got %.12g (%.12g…%.12g) p=%g, SciPy says %+v", name, d.Value, d.Low, d.High, d.P, want)
	}
}

func metric(t *testing.T, p compare.Pair, name string) compare.Judged {
	t.Helper()
	i := slices.IndexFunc(p.Metrics, func(j compare.Judged) bool { return j.Metric == name })
	if i < 0 {
		t.Fatalf("%s was not judged", name)
	}
	return p.Metrics[i]
}

func TestDifferencesOfABinaryLabelAgreeWithSciPy(t *testing.T) {
	want := reference(t).Binary
	for name, c := range map[string]struct {
		without string
		judged  map[string]judged
		blocks  int
	}{
		"row by row": {",block", want.RowsJudged, want.Rows},
		"by blocks":  {"", want.BlocksJudged, want.Blocks},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := run(t, "8f3c", plainBinary, "binary-a.csv", c.without), run(t, "v7", plainBinary, "binary-b.csv", c.without)
			p := compare.Compare([]compare.Subject{b, a}, compare.Options{}).Pairs[0]
			if p.Rows != want.Rows || p.Positives != want.Positives || p.Blocks != c.blocks || p.OnlyThis != 100 || p.OnlyThat != 50 || p.LeftOut != 0 {
				t.Errorf("got %d rows, %d positives, %d blocks, %d and %d apart", p.Rows, p.Positives, p.Blocks, p.OnlyThis, p.OnlyThat)
			}
			for m, w := range c.judged {
				checkDifference(t, m, metric(t, p, m).Difference, w)
			}
			if w := p.Where; w.Changed != want.Changed || w.ToYes.Right+w.ToNo.Right != want.Right || w.ToYes.Rows+w.ToNo.Rows != want.Changed {
				t.Errorf("got %+v", w)
			}
			if blocks := c.without == ""; blocks != (p.Where.P == nil) || !blocks && !near(*p.Where.P, want.MidP) {
				t.Errorf("McNemar: got %v, want %v", p.Where.P, want.MidP)
			}
		})
	}
}

func TestSlicesAreJudgedWithHolmAndSmallOnesAreNot(t *testing.T) {
	want := reference(t).Binary.Parts
	a, b := run(t, "8f3c", plainBinary, "binary-a.csv", ",block"), run(t, "v7", plainBinary, "binary-b.csv", ",block")
	p := compare.Compare([]compare.Subject{b, a}, compare.Options{Slices: true}).Pairs[0]
	if len(p.Slices) != 3 || p.Judged != 2 {
		t.Fatalf("got %d slices, %d judged", len(p.Slices), p.Judged)
	}
	for _, s := range p.Slices {
		if s.Value == "airport" {
			if !s.NotJudged || s.Text != "part=airport is not judged (n=31)" || s.Difference != nil || s.Decision != gate.Inconclusive {
				t.Errorf("got %+v", s)
			}
			continue
		}
		checkDifference(t, s.Value, s.Difference, want[s.Value])
		if s.Holm == nil || math.Abs(*s.Holm-want[s.Value].Holm) > 1e-9 || s.Decision != gate.Superior {
			t.Errorf("%s: got Holm %v, %s", s.Value, s.Holm, s.Decision)
		}
	}
	if want := []string{"block of old has more than 50 values and is not searched"}; !slices.Equal(p.Notes, want) {
		t.Errorf("got %q", p.Notes)
	}
}

func TestDifferencesOfANumberAgreeWithSciPy(t *testing.T) {
	want := reference(t)
	a, b := run(t, "8f3c", plainNumber, "number-a.csv", ""), run(t, "v7", plainNumber, "number-b.csv", "")
	p := compare.Compare([]compare.Subject{b, a}, compare.Options{Curves: true}).Pairs[0]
	checkDifference(t, "mae", metric(t, p, "mae").Difference, want.Number.MAE)
	if j := metric(t, p, "rmse"); !near(j.Candidate.Value, want.Number.RMSEA) || !near(j.Reference.Value, want.Number.RMSEB) || j.Candidate.Low >= j.Candidate.Value {
		t.Errorf("rmse: got %+v and %+v", j.Candidate, j.Reference)
	}
	for _, q := range p.Curves["8f3c"].Errors {
		if w, ok := want.Number.Errors[plain(q.Share)]; ok && !near(q.Value, w) {
			t.Errorf("the error at %g: got %v, want %v", q.Share, q.Value, w)
		}
	}
	constant := compare.Subject{Ref: "constant", Name: "the constant", Constant: true}
	p = compare.Compare([]compare.Subject{constant, a}, compare.Options{}).Pairs[0]
	checkDifference(t, "against the constant", metric(t, p, "mae").Difference, want.Constant.MAE)
}

func plain(v float64) string { return strings.TrimRight(unit.Fixed(v, 2), "0") }

func TestCurvesGoFromCornerToCorner(t *testing.T) {
	a, b := run(t, "8f3c", plainBinary, "binary-a.csv", ""), run(t, "v7", plainBinary, "binary-b.csv", "")
	p := compare.Compare([]compare.Subject{b, a}, compare.Options{Curves: true}).Pairs[0]
	c := p.Curves["8f3c"]
	if n := len(c.ROC); n != 101 || c.ROC[0].TruePositives <= 0 || c.ROC[100] != (compare.ROCPoint{FalsePositives: 1, TruePositives: 1}) {
		t.Errorf("ROC: %d points, %+v … %+v", n, c.ROC[0], c.ROC[n-1])
	}
	area := 0.0
	for k := range 100 {
		area += (c.ROC[k].TruePositives + c.ROC[k+1].TruePositives) / 200
	}
	if auc := metric(t, p, "auc").Candidate.Value; math.Abs(area-auc) > 0.01 {
		t.Errorf("the curve has the area %v, auc is %v", area, auc)
	}
	rows, off := 0, 0.0
	for _, x := range c.Calibration {
		rows += x.Rows
		off += math.Abs(x.Said-x.Was) * float64(x.Rows)
		if !(x.Low <= x.Was && x.Was <= x.High) {
			t.Errorf("got %+v", x)
		}
	}
	if ece := metric(t, p, "ece").Candidate.Value; rows != p.Rows || !near(off/float64(rows), ece) {
		t.Errorf("%d rows are off by %v in the mean, ece is %v", rows, off/float64(rows), ece)
	}
	half := c.Thresholds[9]
	if accuracy := metric(t, p, "accuracy").Candidate.Value; half.Above != 0.5 || !near(half.Accuracy, accuracy) {
		t.Errorf("above a half: got %+v, accuracy is %v", half, accuracy)
	}
}

func TestTheVerdictIsASentence(t *testing.T) {
	a, b := run(t, "8f3c", plainBinary, "binary-a.csv", ""), run(t, "v7", plainBinary, "binary-b.csv", "")
	plainA, plainB := run(t, "8f3c", plainBinary, "binary-a.csv", ",block"), run(t, "v7", plainBinary, "binary-b.csv", ",block")
	m, n := run(t, "a1", plainNumber, "number-a.csv", ""), run(t, "b2", plainNumber, "number-b.csv", "")
	none := compare.Subject{Ref: "run:dead", Name: "dead"}
	few := a
	few.Evaluation = first(t, a.Evaluation, 60)
	for _, c := range []struct {
		name     string
		subjects []compare.Subject
		options  compare.Options
		better   bool
		want     string
	}{
		{"better", []compare.Subject{plainB, plainA}, compare.Options{Slices: true}, true, "8f3c is better than v7 by 0.110 log_loss (95 %: 0.077…0.142) on 1,050 rows that both have. It is better in 2 of 2 slices and worse beyond doubt in none."},
		{"worse", []compare.Subject{plainA, plainB}, compare.Options{Slices: true}, false, "v7 is worse than 8f3c by 0.110 log_loss (95 %: 0.077…0.142) on 1,050 rows that both have. It is better in 0 of 2 slices and worse beyond doubt in 2, most in part=resort by 0.115."},
		{"in blocks, by another metric", []compare.Subject{b, a}, compare.Options{Primary: "brier"}, true, "8f3c is better than v7 by 0.035 brier (95 %: 0.023…0.048) on 1,050 rows in 358 blocks that both have."},
		{"cannot tell", []compare.Subject{n, m}, compare.Options{}, false, "900 rows that both have cannot tell a1 from b2: mae is better by 0.57 (95 %: −0.05…+1.18); it needs about 170 more rows."},
		{"not worse", []compare.Subject{n, m}, compare.Options{Margins: map[string]float64{"mae": 1}}, false, "a1 is not worse than b2 by more than 1 mae: it is better by 0.57 (95 %: −0.05…+1.18) on 900 rows that both have."},
		{"too few", []compare.Subject{b, few}, compare.Options{}, false, "8f3c and v7 cannot be told apart: log_loss is not judged (n=60); 140 more rows would do."},
		{"no predictions", []compare.Subject{b, none}, compare.Options{}, false, "dead keeps no predictions below evaluation/, so nothing is judged: its metrics stand beside the others without an interval."},
		{"no row in common", []compare.Subject{run(t, "b2", plainBinary, "binary-b.csv", ""), other(t, "0")}, compare.Options{}, false, "c3 and b2 have no row in common, so nothing is judged."},
		{"keys of other rows", []compare.Subject{other(t, "0"), other(t, "1")}, compare.Options{}, false, "300 of the 300 keys that c3 and c3 share have another label: they do not name the same rows, so nothing is judged."},
		{"other kinds", []compare.Subject{a, m}, compare.Options{}, false, "a1 predicts a regression label and 8f3c a binary one, so nothing is judged."},
		{"several", []compare.Subject{b, a, none}, compare.Options{Primary: "brier"}, true, "1 of 2 are better than v7 by more than chance allows. The best: 8f3c is better than v7 by 0.035 brier (95 %: 0.023…0.048) on 1,050 rows in 358 blocks that both have. It was picked as the best of 2 on these rows, which flatters it a little."},
		{"several without any", []compare.Subject{b, none, none}, compare.Options{}, false, "None of 2 can be compared with v7. dead keeps no predictions below evaluation/, so nothing is judged: its metrics stand beside the others without an interval."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := compare.Compare(c.subjects, c.options)
			if r.Sentence != c.want || r.Better != c.better {
				t.Errorf("got  %v %s\nwant %s", r.Better, r.Sentence, c.want)
			}
			checkFigures(t, r)
		})
	}
}

var figure = regexp.MustCompile(`\d+(,\d{3})*(\.\d+)?`)

// checkFigures finds each number of the sentence among those of the report.
func checkFigures(t *testing.T, r compare.Report) {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	delete(tree, "sentence")
	var values []float64
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case float64:
			values = append(values, math.Abs(v), unit.RoundUp(math.Abs(v)))
		case map[string]any:
			for k, x := range v {
				if k != "sentence" && k != "text" {
					collect(x)
				}
			}
		case []any:
			values = append(values, float64(len(v)))
			for _, x := range v {
				collect(x)
			}
		}
	}
	collect(tree)
	judged := 0
	for _, p := range r.Pairs {
		for _, d := range []gate.Decision{gate.Superior, gate.Harm} {
			n := 0
			for _, s := range p.Slices {
				if s.Decision == d {
					n++
				}
			}
			values = append(values, float64(n))
		}
		if p.Decision == gate.Superior {
			judged++
		}
	}
	values = append(values, float64(judged), 95)
	text := r.Sentence
	for _, s := range r.Subjects {
		text = strings.ReplaceAll(text, s.Name, "")
	}
	for _, f := range figure.FindAllString(text, -1) {
		digits := 0
		if _, after, ok := strings.Cut(f, "."); ok {
			digits = len(after)
		}
		if !slices.ContainsFunc(values, func(v float64) bool { return unit.Fixed(v, digits) == f }) && !strings.Contains(text, "label") && !strings.Contains(text, "not judged (n=") {
			t.Errorf("%s is no number of the report: %s", f, r.Sentence)
		}
	}
}

// first is the first rows of an evaluation.
func first(t *testing.T, e *compare.Evaluation, n int) *compare.Evaluation {
	t.Helper()
	var b strings.Builder
	b.WriteString("key,label,prediction\n")
	for i := range n {
		b.WriteString(e.Keys[i] + "," + unit.Fixed(e.Truth[i], 0) + ",0.5\n")
	}
	out, err := read(plainBinary, b.String())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// other is a run whose rows have one label.
func other(t *testing.T, label string) compare.Subject {
	t.Helper()
	var b strings.Builder
	b.WriteString("key,label,prediction\n")
	for i := range 300 {
		b.WriteString("other" + unit.Fixed(float64(i), 0) + "," + label + ",0.5\n")
	}
	e, err := read(plainBinary, b.String())
	if err != nil {
		t.Fatal(err)
	}
	return compare.Subject{Ref: "run:c3", Name: "c3", Evaluation: e}
}

func TestOnlyWhatDiffersIsShown(t *testing.T) {
	a := compare.Subject{
		Name: "a", Params: []experiment.Param{{Key: "depth", Value: "5"}, {Key: "trees", Value: "100"}},
		RunTags:     []experiment.Tag{{Key: "mlflow.source.git.commit", Value: "4be1c07"}, {Key: "note", Value: "x"}},
		Inputs:      []experiment.Input{{Dataset: experiment.Dataset{Name: "bookings", Digest: "a3f1"}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "training"}}}},
		Environment: []string{"# made by hand", "xgboost==3.0.2", "numpy==2.1.0  # pinned", "--index-url x", "scipy"},
		Metrics:     []experiment.Metric{{Key: "auc", Value: 0.8, DatasetName: "test", DatasetDigest: "99"}, {Key: "loss", Value: math.NaN(), Step: 3}},
	}
	b := compare.Subject{
		Name: "b", Params: []experiment.Param{{Key: "depth", Value: "6"}, {Key: "trees", Value: "100"}, {Key: "l2", Value: ""}},
		RunTags:     []experiment.Tag{{Key: "mlflow.source.git.commit", Value: "a90f2d1"}},
		Inputs:      []experiment.Input{{Dataset: experiment.Dataset{Name: "bookings", Digest: "b4"}, Tags: []experiment.Tag{{Key: "mlflow.data.context", Value: "training"}}}},
		Environment: []string{"xgboost==3.0.1", "numpy==2.1.0", "scipy"},
		Metrics:     []experiment.Metric{{Key: "auc", Value: 0.81}},
	}
	r := compare.Compare([]compare.Subject{a, b}, compare.Options{})
	raw, err := json.Marshal(r.Differs)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"kind":"param","key":"depth","values":["5","6"]},{"kind":"param","key":"l2","values":[null,""]},` +
		`{"kind":"data","key":"training","values":["bookings a3f1","bookings b4"]},{"kind":"code","key":"commit","values":["4be1c07","a90f2d1"]},` +
		`{"kind":"environment","key":"xgboost","values":["3.0.2","3.0.1"]}]`
	if string(raw) != want || r.Equal != 3 {
		t.Errorf("%d are equal\ngot  %s\nwant %s", r.Equal, raw, want)
	}
	raw, err = json.Marshal(r.Logged)
	if want := `[{"key":"auc","values":[{"value":0.8,"step":0,"dataset":"test 99"},{"value":0.81,"step":0}]},{"key":"loss","values":[{"value":null,"step":3},null]}]`; err != nil || string(raw) != want {
		t.Errorf("got %s, %v", raw, err)
	}
}

func TestAVersionIsComparedOnTheRowsOnWhichItWasJudged(t *testing.T) {
	candidate, live := run(t, "v8", plainBinary, "binary-a.csv", ",block"), run(t, "v7", plainBinary, "binary-b.csv", ",block")
	said := live.Evaluation // what v7 said of the rows of v8
	live.Version, candidate.Version = "m@7", "m@8"
	live.Evaluation = other(t, "1").Evaluation
	candidate.Also = map[string]*compare.Evaluation{"m@7": said}
	r := compare.Compare([]compare.Subject{live, candidate}, compare.Options{})
	if p := r.Pairs[0]; p.Rows != 1050 || p.Decision != gate.Superior || !slices.Contains(p.Notes, "on the rows on which v8 was judged against v7") {
		t.Errorf("got %d rows, %s, %q", p.Rows, p.Decision, p.Notes)
	}
	r = compare.Compare([]compare.Subject{candidate, live}, compare.Options{})
	if p := r.Pairs[0]; p.Rows != 1050 || p.Decision != gate.Harm || !slices.Contains(p.Notes, "on the rows on which v8 was judged against v7") {
		t.Errorf("turned round: got %d rows, %s, %q", p.Rows, p.Decision, p.Notes)
	}
}

func TestRowsWhoseLabelsDifferAreLeftOut(t *testing.T) {
	rows := func(flip int) string {
		var b strings.Builder
		b.WriteString("key,label,prediction,weight\n")
		for i := range 400 {
			label := i % 2
			if i == flip {
				label = 1 - label
			}
			w := "2"
			if flip >= 0 && i == 399 {
				w = "3"
			}
			b.WriteString(unit.Fixed(float64(i), 0) + "," + unit.Fixed(float64(label), 0) + ",0.5," + w + "\n")
		}
		return b.String()
	}
	a, err := read(plainBinary, rows(-1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := read(plainBinary, rows(7))
	if err != nil {
		t.Fatal(err)
	}
	p := compare.Compare([]compare.Subject{{Name: "a", Evaluation: a}, {Name: "b", Evaluation: b}}, compare.Options{}).Pairs[0]
	if p.Rows != 398 || p.LeftOut != 2 || p.Where.P != nil {
		t.Errorf("got %+v", p)
	}
	if want := "398 rows that both have cannot tell b from a: log_loss is no different (95 %: 0.000…0.000)."; strings.ReplaceAll(p.Sentence, "+", "") != want {
		t.Errorf("got %s", p.Sentence)
	}
}

func TestTurnedRoundADifferenceIsTheOther(t *testing.T) {
	a, b := run(t, "8f3c", plainBinary, "binary-a.csv", ""), run(t, "v7", plainBinary, "binary-b.csv", "")
	there := compare.Compare([]compare.Subject{b, a}, compare.Options{Slices: true}).Pairs[0]
	back := compare.Compare([]compare.Subject{a, b}, compare.Options{Slices: true}).Pairs[0]
	for i, j := range there.Metrics {
		d, o := j.Difference, back.Metrics[i].Difference
		if !near(d.Value, -o.Value) || d.Candidate != o.Other {
			t.Errorf("%s: %+v and %+v", j.Metric, d, o)
		}
		if mean := j.Metric == "log_loss" || j.Metric == "brier" || j.Metric == "accuracy"; mean && (!near(d.Low, -o.High) || !near(d.High, -o.Low)) {
			t.Errorf("%s: %v…%v and %v…%v", j.Metric, d.Low, d.High, o.Low, o.High)
		}
	}
	if there.Where.Changed != back.Where.Changed || there.Where.ToYes.Rows != back.Where.ToNo.Rows {
		t.Errorf("%+v and %+v", there.Where, back.Where)
	}
}

func TestCostIsJudgedWhereTheModelSaysWhatDecisionsCost(t *testing.T) {
	a, b := run(t, "8f3c", plainBinary, "binary-a.csv", ",block"), run(t, "v7", plainBinary, "binary-b.csv", ",block")
	p := compare.Compare([]compare.Subject{b, a}, compare.Options{Costs: dataset.Costs{"1": {"0": 1}, "0": {"1": 1}}}).Pairs[0]
	// Where both mistakes cost 1, the cost is what accuracy leaves.
	cost, accuracy := metric(t, p, "cost").Difference, metric(t, p, "accuracy").Difference
	if !near(cost.Value, accuracy.Value) || !near(cost.Low, accuracy.Low) || !near(cost.Candidate, 1-accuracy.Candidate) {
		t.Errorf("got %+v, accuracy %+v", cost, accuracy)
	}
	p = compare.Compare([]compare.Subject{b, a}, compare.Options{}).Pairs[0]
	if slices.ContainsFunc(p.Metrics, func(j compare.Judged) bool { return j.Metric == "cost" }) {
		t.Error("cost was judged though nobody says what a mistake costs")
	}
}
