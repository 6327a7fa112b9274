// SPDX-License-Identifier: Apache-2.0

package training

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/experiment/gate"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/training/learner"
	"flyball/unit"
)

var start = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

const day = unit.Duration(24 * time.Hour)

// table is hourly rows whose label follows x, and is due ten hours later.
func table(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	write := func(cells ...string) {
		if err := w.Write(cells); err != nil {
			t.Fatal(err)
		}
	}
	write("id", "at", "x", "y")
	for i := range n {
		x := math.Sin(float64(i) / 5)
		write(fmt.Sprint(i), start.Add(time.Duration(i)*time.Hour).Format(time.RFC3339), fmt.Sprint(x), fmt.Sprint(10+5*x))
	}
	w.Flush()
	return b.Bytes()
}

func recipe() Recipe {
	margin := 0.1
	return Recipe{
		Model:    "m",
		Task:     dataset.Task{Column: "y", Kind: dataset.Regression, ID: "id", Time: "at", Truth: dataset.Truth{Within: unit.Duration(10 * time.Hour)}, Block: dataset.Block{Each: day}},
		Data:     dataset.Settings{Source: "a.csv", Test: dataset.TestWindow{Window: 10 * day, AtLeast: 200}},
		Pipeline: pipeline.Spec{Inputs: []frame.Field{{Name: "x", Kind: frame.Number}}},
		Train:    Settings{With: "builtin/gbdt", Settings: map[string]any{"trees": 20, "depth": 3, "learning_rate": 0.3}, Seed: 7},
		Gate: gate.Policy{Baseline: gate.Baseline{With: "builtin/constant"}, Reproduce: "required", Metrics: []gate.Rule{
			{Name: "mae", Require: gate.Requirement{Word: "noninferior"}, Margin: &margin},
			{Name: "mae", Against: "baseline", Require: gate.Requirement{Word: "superior"}},
		}},
	}
}

func trainer(t *testing.T, raw []byte) (*Trainer, map[string]registry.DataFile) {
	t.Helper()
	blobs := blob.Memory()
	f, err := SourceBytes(context.Background(), blobs, raw)
	if err != nil {
		t.Fatal(err)
	}
	return fresh(blobs), map[string]registry.DataFile{"a.csv": f}
}

// fresh is a trainer on the blobs.
func fresh(blobs blob.Store) *Trainer {
	return &Trainer{Blobs: blobs, Decoders: learner.Decoders(), Logger: slog.New(slog.DiscardHandler)}
}

func TestATrainingJudgesOnHeldOutRowsAndReleasesTheRefit(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	now := start.Add(1005 * time.Hour) // the truth of the last five rows is not due yet
	r := Request{Recipe: recipe(), Files: files, Now: now, Cause: "first", By: "ana", Key: "m/1"}
	res, err := tr.Run(context.Background(), r, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !res.Verdict.Pass || res.Test != 240 || res.Mature != 996 || res.Immature != 4 || res.Train != 756 {
		t.Errorf("got pass %v, %d train, %d test, %d mature, %d immature", res.Verdict.Pass, res.Train, res.Test, res.Mature, res.Immature)
	}
	if res.Bundle == res.Judged || res.SeenUntil != start.Add(1005*time.Hour) {
		t.Errorf("the refit saw until %s (bundle %s, judged %s)", res.SeenUntil, res.Bundle, res.Judged)
	}
	t.Run("and the same again gives the same bytes", func(t *testing.T) {
		again, err := tr.Run(context.Background(), r, nil, nil)
		if err != nil || again.Bundle != res.Bundle || again.Snapshot != res.Snapshot {
			t.Errorf("got %s, %v, want %s", again.Bundle, err, res.Bundle)
		}
	})
	t.Run("and from its record alone too", func(t *testing.T) {
		got, err := tr.Reproduce(context.Background(), registry.Version{Bundle: res.Bundle, Judged: res.Judged, Snapshot: res.Snapshot, Record: res.Record}, nil)
		if err != nil || got.Grade != R3 || len(got.Outputs) < 6 {
			t.Fatalf("got %v, %v", got, err)
		}
		for _, c := range got.Outputs {
			if !c.Equal() {
				t.Errorf("%s: recorded %s, again %s", c.What, c.Recorded, c.Again)
			}
		}
	})
	t.Run("and the next is judged on rows that this one has not seen", func(t *testing.T) {
		r.Now, r.Key = now.Add(48*time.Hour), "m/2"
		tr2, files := trainer(t, table(t, 1100))
		tr2.Blobs, r.Files = tr.Blobs, files
		raw := table(t, 1100)
		if r.Files["a.csv"], err = SourceBytes(context.Background(), tr.Blobs, raw); err != nil {
			t.Fatal(err)
		}
		next, err := tr2.Run(context.Background(), r, &Opponent{Bundle: res.Bundle, SeenUntil: res.SeenUntil}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !next.TestFrom.After(res.SeenUntil) || next.Test != 48 {
			t.Errorf("judged on %d rows from %s; the live version saw until %s", next.Test, next.TestFrom, res.SeenUntil)
		}
	})
}

func TestDataThatFailsACheckStopsTheTrainingWithRowAndColumn(t *testing.T) {
	tr, files := trainer(t, table(t, 500))
	r := recipe()
	most := 0.5
	r.Data.Checks = []dataset.Check{{Column: "x", Max: &most}}
	_, err := tr.Run(context.Background(), Request{Recipe: r, Files: files, Now: start.Add(600 * time.Hour)}, nil, nil)
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), `column "x", row 4:`) {
		t.Errorf("got %v", err)
	}
}

func TestTooFewMatureRowsAreTold(t *testing.T) {
	tr, files := trainer(t, table(t, 500))
	_, err := tr.Run(context.Background(), Request{Recipe: recipe(), Files: files, Now: start}, nil, nil)
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "0 mature rows") {
		t.Errorf("got %v", err)
	}
}

func TestATrainingThatTakesTooLongEnds(t *testing.T) {
	tr, files := trainer(t, table(t, 500))
	r := recipe()
	r.Train.Limits.Time = unit.Duration(time.Nanosecond)
	_, err := tr.Run(context.Background(), Request{Recipe: r, Files: files, Now: start.Add(600 * time.Hour)}, nil, nil)
	if !fault.Is(err, fault.Exhausted) || !strings.Contains(err.Error(), "train.limits.time") {
		t.Errorf("got %v", err)
	}
}
