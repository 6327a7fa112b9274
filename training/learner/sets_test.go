// SPDX-License-Identifier: Apache-2.0

package learner_test

import (
	"os"
	"os/exec"
	"testing"

	"flyball/training/learner"
	"flyball/training/learner/learnertest"
)

// Within which the built-in boosting stays of XGBoost.
const (
	worseAUC  = 0.002
	worseRMSE = 1.01 // times
)

// Each real data set is fitted with the settings of XGBoost on the rows of XGBoost. A
// set of few rows is split many times. The quick form takes sets of few rows or features
// and four splits of each.
func TestOnRealDataItIsAsGoodAsXGBoost(t *testing.T) {
	if testing.Short() {
		t.Skip("Python takes long")
	}
	python := os.Getenv("FLYBALL_PYTHON_BOOSTING")
	if python == "" {
		python = "../../.cache/boosting/bin/python"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python with the data sets: set FLYBALL_PYTHON_BOOSTING or make .cache/boosting")
	}
	most, names := 4, []string{"bike", "breast_cancer", "churn", "credit", "diabetes", "wine"}
	if os.Getenv("FLYBALL_LONG") != "" {
		most, names = 40, nil
	}
	peers, err := learnertest.Open(t.Context(), python, "../..", names...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peers.Close)
	for _, s := range peers.Sets {
		t.Run(s.Name, func(t *testing.T) {
			if s.Missing != "" {
				t.Skip(s.Missing)
			}
			var ours, theirs float64
			n := min(most, s.Splits)
			for split := range n {
				a, b := compare(t, peers, s, split)
				ours, theirs = ours+a/float64(n), theirs+b/float64(n)
			}
			t.Logf("%d splits: %.5f, XGBoost %.5f", n, ours, theirs)
			switch {
			case s.Classes == 0 && ours > theirs*worseRMSE:
				t.Errorf("the error is %.5f and XGBoost's %.5f", ours, theirs)
			case s.Classes > 0 && ours < theirs-worseAUC:
				t.Errorf("the AUC is %.5f and XGBoost's %.5f", ours, theirs)
			}
		})
	}
}

// compare trains both on a split and returns how good they are on its other rows.
func compare(t *testing.T, peers *learnertest.Peers, s learnertest.Set, split int) (ours, theirs float64) {
	t.Helper()
	train, test, err := peers.Data(s, split)
	if err != nil {
		t.Fatal(err)
	}
	l, err := learner.New("builtin/gbdt", s.Settings())
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(t.Context(), train, learner.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	e, err := learner.Decoders().Estimators[f.Name](f.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, test.X.Rows*e.Outputs())
	e.Score(test.X, scores)
	_, other, err := peers.Fit(s, split, learnertest.XGBoost)
	if err != nil {
		t.Fatal(err)
	}
	return s.Quality(test.Y, scores), s.Quality(test.Y, other)
}

func TestAUCIsTheShareOfPairsInOrder(t *testing.T) {
	for _, c := range []struct {
		name          string
		truth, scores []float64
		want          float64
	}{
		{"in order", []float64{0, 0, 1}, []float64{0.1, 0.2, 0.3}, 1},
		{"the wrong way round", []float64{1, 0, 0}, []float64{0.1, 0.2, 0.3}, 0},
		{"one pair of four is not", []float64{0, 1, 0, 1}, []float64{0.1, 0.2, 0.3, 0.4}, 0.75},
		{"equal scores count half", []float64{0, 1, 1}, []float64{0.5, 0.5, 0.7}, 0.75},
	} {
		if got := learnertest.AUC(c.truth, c.scores); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
