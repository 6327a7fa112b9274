// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/experiment/gate"
	"flyball/fault"
)

func TestTwoWaysOfTrainingAreComparedOnSplitsInTheOrderOfTime(t *testing.T) {
	tr, files := trainer(t, table(t, 2400))
	a := Request{Recipe: recipe(), Files: files, Now: start.Add(2500 * time.Hour)}
	a.Recipe.Gate.Reproduce = ""
	b := a
	b.Recipe.Train.Settings = map[string]any{"trees": 1, "depth": 1, "learning_rate": 0.1}
	c, err := tr.Contest(context.Background(), a, b, Trials{Splits: 4}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Metric != "mae" || c.Margin != 0.1 || c.Decision != gate.Harm || len(c.Rounds) != 4 || !(c.High < -0.1) || !(c.NaiveP < c.P) {
		t.Errorf("got %+v", c)
	}
	for i, r := range c.Rounds {
		if r.Test != 240 || i > 0 && (!r.From.After(c.Rounds[i-1].To) || r.Train != c.Rounds[i-1].Train+240) {
			t.Errorf("split %d: got %+v", i, r)
		}
	}
	back, err := tr.Contest(context.Background(), b, a, Trials{Splits: 4}, nil)
	if err != nil || back.Decision != gate.Superior || back.Gain != -c.Gain {
		t.Errorf("the other way round: got %+v, %v", back, err)
	}
	same, err := tr.Contest(context.Background(), a, a, Trials{Splits: 3}, nil)
	if err != nil || same.Decision != gate.NonInferior || same.Gain != 0 {
		t.Errorf("a way and itself: got %+v, %v", same, err)
	}
	if c, err := tr.Contest(context.Background(), a, a, Trials{Splits: 50}, nil); err != nil || len(c.Rounds) > 9 || c.Rounds[0].Train < leastRound {
		t.Errorf("more splits than there is data for: got %+v, %v", c, err)
	}
	b.Recipe.Task.Column = "x"
	if _, err := tr.Contest(context.Background(), a, b, Trials{}, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("another label: got %v", err)
	}
}

func TestRowsWithoutATimeAreSplitByPlace(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	a := Request{Recipe: recipe(), Files: files, Now: start.Add(1500 * time.Hour)}
	a.Recipe.Gate.Reproduce, a.Recipe.Task.Time, a.Recipe.Task.Truth, a.Recipe.Task.Block = "", "", dataset.Truth{}, dataset.Block{}
	b := a
	b.Recipe.Train.Settings = map[string]any{"trees": 1, "depth": 1, "learning_rate": 0.1}
	c, err := tr.Contest(context.Background(), a, b, Trials{Splits: 5}, nil)
	if err != nil || c.Decision != gate.Harm || len(c.Rounds) != 5 || c.Rounds[0].Train != 500 || c.Rounds[4].Train != 900 || c.Rounds[4].Test != 100 {
		t.Errorf("got %+v, %v", c, err)
	}
	if err != nil || !strings.Contains(c.Text, "over 5 splits") {
		t.Errorf("got %q", c.Text)
	}
}
