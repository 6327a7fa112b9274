// SPDX-License-Identifier: Apache-2.0

package learner

import (
	"context"
	"runtime"
	"testing"

	"flyball/data/dataset"
)

func TestTheMemoryOfAFitIsAboutWhatWasSaid(t *testing.T) {
	for _, c := range []struct {
		with     string
		settings map[string]any
	}{{"builtin/linear", nil}, {"builtin/gbdt", map[string]any{"trees": 3}}, {"builtin/gbdt", map[string]any{"trees": 3, "depth": 10}}} {
		d := made(dataset.Multiclass, 1, 20_000, 12)
		l, err := New(c.with, c.settings)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := l.Fit(context.Background(), d, Options{Workers: 1}); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		// All that was allocated, most of it kept to the end, and the features, which were there before.
		took := float64(after.TotalAlloc-before.TotalAlloc) + float64(4*len(d.X.Data))
		if said := Need(c.with, c.settings, 20_000, 12, 3); said > 6*took || took > 6*said {
			t.Errorf("%s %v: said %.0f bytes, took %.0f", c.with, c.settings, said, took)
		} else {
			t.Logf("%s %v: said %.0f bytes, took %.0f", c.with, c.settings, said, took)
		}
	}
}

func TestSettingsThatAreRefusedNeedNothing(t *testing.T) {
	if got := Need("builtin/gbdt", map[string]any{"trees": -1}, 10, 10, 1); got != 0 {
		t.Errorf("got %v", got)
	}
}
