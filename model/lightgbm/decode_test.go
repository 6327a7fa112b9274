// SPDX-License-Identifier: Apache-2.0

package lightgbm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/internal/fuzzcheck"
	"flyball/model"
)

// stump is a model of one split of feature a; what follows replaces its lines.
func stump(replace ...string) string {
	text := `tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=a b
feature_infos=[0:1] [0:1]
tree_sizes=300

Tree=0
num_leaves=2
num_cat=0
split_feature=0
split_gain=1
threshold=0.5
decision_type=10
left_child=-1
right_child=-2
leaf_value=-1 2
leaf_weight=3 4
leaf_count=3 4
internal_value=0
internal_weight=0
internal_count=7
is_linear=0
shrinkage=1


end of trees

feature_importances:
a=1

parameters:
[boosting: gbdt]

end of parameters

pandas_categorical:null
`
	return strings.NewReplacer(replace...).Replace(text)
}

func decoded(t *testing.T, text string) *Model {
	t.Helper()
	m, err := Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func score(t *testing.T, m *Model, a float64) float64 {
	t.Helper()
	s, err := m.Score(t.Context(), frame.New(frame.NumberColumn("b", []float64{9}), frame.NumberColumn("a", []float64{a})))
	if err != nil {
		t.Fatal(err)
	}
	return s.Values[0]
}

func TestARowFollowsTheSplit(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	const left, right = -1, 2
	for _, c := range []struct {
		name            string
		decision, limit string
		x, want         float64
	}{
		{"less", "10", "0.5", 0.4, left},
		{"equal goes left", "10", "0.5", 0.5, left},
		{"the next number goes right", "10", "0.5", math.Nextafter(0.5, 1), right},
		{"a missing value goes left by default", "10", "0.5", nan, left},
		{"or right", "8", "0.5", nan, right},
		{"an infinite one is no missing one", "10", "0.5", inf, right},
		{"an infinite limit keeps missing values apart", "8", "inf", nan, right},
		{"and infinite ones not", "8", "inf", inf, left},
		{"without missing values NaN is 0", "2", "0.5", nan, left},
		{"which is more than a limit below it", "2", "-0.5", nan, right},
		{"0 is missing", "4", "0.5", 0, right},
		{"and NaN with it", "4", "0.5", nan, right},
		{"and what is next to 0", "4", "0.5", 1e-36, right},
		{"and goes left by default", "6", "-0.5", 0, left},
		{"but not 1e-34", "4", "0.5", 1e-34, left},
		{"what is next to 0 counts as 0", "8", "0", 1e-36, left},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := decoded(t, stump("decision_type=10", "decision_type="+c.decision, "threshold=0.5", "threshold="+c.limit))
			if got := score(t, m, c.x); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestACategoryOfTheSetGoesLeft(t *testing.T) {
	m := decoded(t, stump("num_cat=0", "num_cat=1", "decision_type=10", "decision_type=1", "threshold=0.5", "threshold=0",
		"is_linear=0", "cat_boundaries=0 2\ncat_threshold=5 2\nis_linear=0")) // 0, 2 and 33
	for x, left := range map[float64]bool{
		0: true, 1: false, 2: true, 2.9: true, 33: true, 34: false, 64: false, 1e300: false, -1: false, -0.5: true, 1 << 31: false, math.Inf(1): false,
	} {
		if got := score(t, m, x) == -1; got != left {
			t.Errorf("category %v goes left: %v, want %v", x, got, left)
		}
	}
	if score(t, m, math.NaN()) != 2 {
		t.Error("a missing category goes left")
	}
}

func TestWhatCannotBeScoredExactlyIsRefusedWithItsLine(t *testing.T) {
	for _, c := range []struct{ name, old, now, want string }{
		{"another file", "tree\nversion", "xgboost\nversion", "its first line is \"xgboost\""},
		{"an old format", "version=v4", "version=v2", "format version \"v2\"; v3 and v4 are read"},
		{"linear trees", "is_linear=0", "is_linear=1", "line 27 of the LightGBM model: the tree has linear leaves"},
		{"an unknown objective", "objective=regression", "objective=pinball", "line 7 of the LightGBM model: the objective \"pinball\" is not known"},
		{"a loop", "left_child=-1", "left_child=0", "the splits of the LightGBM tree that begins in line 12 do not form a tree"},
		{"a leaf twice", "right_child=-2", "right_child=-1", "do not form a tree"},
		{"a leaf that is not there", "right_child=-2", "right_child=-3", "the splits of the LightGBM tree that begins in line 12 do not form a tree"},
		{"a feature that is not there", "split_feature=0", "split_feature=2", "line 15 of the LightGBM model: split 0 reads feature 2 of 2"},
		{"no number", "threshold=0.5", "threshold=x", "line 17 of the LightGBM model: value 0 of threshold is \"x\""},
		{"NaN as threshold", "threshold=0.5", "threshold=nan", "threshold 0 is NaN"},
		{"too few leaves", "leaf_value=-1 2", "leaf_value=-1", "line 21 of the LightGBM model: leaf_value has fewer than 2 values"},
		{"too many leaves", "leaf_value=-1 2", "leaf_value=-1 2 3", "leaf_value has more than 2 values"},
		{"a missing line", "right_child=-2\n", "", "has no right_child"},
		{"an unknown missing type", "decision_type=10", "decision_type=12", "decision_type 0 is 12"},
		{"no set of categories", "decision_type=10", "decision_type=1", "split 0 goes by set 0.5 of 0 sets"},
		{"another number of trees", "tree_sizes=300", "tree_sizes=300 1", "line 10 of the LightGBM model: tree_sizes tells of 2 trees, but there are 1"},
		{"a cut file", "end of trees", "\x00", "it is not whole"},
		{"a part that no one knows", "end of trees", "", "got \"feature_importances:\" where a tree begins"},
		{"two features of one name", "feature_names=a b", "feature_names=a a", "two features of the LightGBM model have the name \"a\""},
		{"a missing name", "feature_names=a b", "feature_names=a", "line 8 of the LightGBM model: feature_names has fewer than 2 values"},
		{"an unfinished iteration", "num_class=1\nnum_tree_per_iteration=1", "num_class=2\nnum_tree_per_iteration=2", "the objective \"regression\" does not go with 2 trees an iteration"},
		{"no classes", "num_class=1\nnum_tree_per_iteration=1\n", "num_class=0\n", "does not go with 0 trees"},
		{"a mean of nothing", "num_class=1", "average_output\nnum_class=-1", "num_class is \"-1\", which is not a count"},
		{"categories of nobody", "pandas_categorical:null", "pandas_categorical:[[\"x\"]]", "0 of its features are categorical"},
		{"no JSON", "pandas_categorical:null", "pandas_categorical:[[", "pandas_categorical is not lists in JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := stump(c.old, c.now)
			if text == stump() {
				t.Fatal("nothing was replaced")
			}
			text, _, _ = strings.Cut(text, "\x00")
			_, err := Decode([]byte(text))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestAModelSaysWhatItIs(t *testing.T) {
	a, err := ReadAbout([]byte(stump("objective=regression", "objective=binary sigmoid:1", "[0:1] [0:1]", "[0:1] -1:1:0",
		"pandas_categorical:null", `pandas_categorical:[["x", "y"]]`)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"v4","Objective":"binary sigmoid:1","Classes":1,"TreesPerIteration":1,"Features":["a","b"],` +
		`"Infos":["[0:1]","-1:1:0"],"Averaged":false,"Trees":1,"Categories":[["x","y"]],"Categorical":[1],"Best":0}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type files map[string]string

func (f files) Names() (names []string) {
	for n := range f {
		names = append(names, n)
	}
	return names
}

func (f files) Read(name string) ([]byte, error) {
	if s, ok := f[name]; ok {
		return []byte(s), nil
	}
	return nil, fault.New(fault.NotFound, "there is no %s", name)
}

func TestABundleMayNameTheColumns(t *testing.T) {
	s, err := Open(t.Context(), model.Manifest{Kind: dataset.Regression}, files{File: stump(), ColumnsFile: `["sepal length", "b"]`})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Inputs(); got[0] != (frame.Field{Name: "sepal length", Kind: frame.Number}) || got[1].Name != "b" {
		t.Errorf("got %v", got)
	}
	for names, want := range map[string]string{`["a"]`: "1 names", `["a", "a"]`: "stands twice", `{}`: "not a list of names"} {
		if _, err := Open(t.Context(), model.Manifest{}, files{File: stump(), ColumnsFile: names}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", names, err)
		}
	}
}

func TestAModelWithoutProbabilitiesIsNoClassifier(t *testing.T) {
	if _, err := Open(t.Context(), model.Manifest{Kind: dataset.Binary}, files{File: stump()}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.Context(), model.Manifest{Kind: dataset.Binary}, files{File: stump("objective=regression", "objective=binary sigmoid:1")}); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), model.Manifest{}, files{File: stump()}); err != nil {
		t.Error(err)
	}
}

func TestAnAbsentColumnIsNamed(t *testing.T) {
	m := decoded(t, stump())
	_, err := m.Score(t.Context(), frame.New(frame.NumberColumn("a", []float64{1})))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v", err)
	}
	_, err = m.Score(t.Context(), frame.New(frame.NumberColumn("a", []float64{1}), frame.TextColumn("b", []string{"x"}, nil)))
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "texts") {
		t.Errorf("got %v", err)
	}
}

func TestScoringARowAllocatesOnlyTheAnswer(t *testing.T) {
	m := decoded(t, stump())
	f := frame.New(frame.NumberColumn("b", []float64{9}), frame.NumberColumn("a", []float64{1}))
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Score(t.Context(), f) }); n > 2 {
		t.Errorf("scoring a row allocates %v times", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(stump()))
	f.Add([]byte(stump("num_cat=0", "num_cat=1", "decision_type=10", "decision_type=1", "threshold=0.5", "threshold=0",
		"is_linear=0", "cat_boundaries=0 2\ncat_threshold=5 2\nis_linear=0", "pandas_categorical:null", `pandas_categorical:[["x", "y"]]`,
		"[0:1] [0:1]", "0:1 [0:1]")))
	f.Add([]byte(stump("objective=regression", "average_output\nobjective=binary sigmoid:2")))
	f.Add([]byte(stump("num_leaves=2", "num_leaves=1", "leaf_value=-1 2", "leaf_value=3")))
	if b, err := os.ReadFile("testdata/v3.jsonl"); err == nil {
		in := bufio.NewScanner(bytes.NewReader(b))
		in.Buffer(nil, len(b)+1)
		for in.Scan() {
			var ref reference
			if json.Unmarshal(in.Bytes(), &ref) == nil && len(ref.Model) < 20000 {
				f.Add([]byte(ref.Model))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m *Model
		var err error
		fuzzcheck.Within(t, len(b), 1<<16, func() { m, err = Decode(b) })
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, want an invalid fault", err)
			}
			return
		}
		if _, err := ReadAbout(b); err != nil {
			t.Errorf("a model that is read says nothing of itself: %v", err)
		}
		cols := make([]frame.Column, len(m.columns))
		for i, in := range m.Inputs() {
			if in.Kind == frame.Text {
				cols[i] = frame.TextColumn(in.Name, []string{"", "x", "y", "z", ""}, []bool{true, false, false, false, false})
			} else {
				cols[i] = frame.NumberColumn(in.Name, []float64{0, 1, -2, math.NaN(), math.Inf(1)})
			}
		}
		rows := frame.New(cols...)
		if _, err := m.Score(t.Context(), rows); err != nil {
			t.Errorf("got %v", err)
		}
		if _, err := m.ExplainRows(t.Context(), rows); err != nil && !fault.Is(err, fault.Refused) && !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v", err)
		}
	})
}
