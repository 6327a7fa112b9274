// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"flyball/model"
	"flyball/serving/release"
)

func TestQuantilesAreRoundedUpByAtMostAnEighthAndForgetWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w window
		for i := range 1000 {
			w.add(time.Now(), time.Duration(i+1)*time.Microsecond)
		}
		for k, want := range []time.Duration{500 * time.Microsecond, 990 * time.Microsecond, time.Millisecond} {
			got := w.quantiles(time.Now(), 0.5, 0.99, 1)[k]
			if got < want || got > want+want/8 {
				t.Errorf("got %s, want %s or up to an eighth more", got, want)
			}
		}
		time.Sleep(2 * time.Minute)
		if got := w.quantiles(time.Now(), 0.5)[0]; got != 0 {
			t.Errorf("two minutes later: got %s", got)
		}
	})
}

func TestAModelsStatsSayWhatWasAskedAndWhatIsLoaded(t *testing.T) {
	s, _ := server(t, Entry{Route: release.Route{Live: 1, Previous: 2}, Versions: map[int]*model.Bundle{1: always(t, 10, "x"), 2: always(t, 20, "x")}})
	ask(t, s, `{"ts":"2012-01-01","x":1}`)
	_, _ = s.Predict(t.Context(), Request{Model: "m", Rows: []json.RawMessage{[]byte(`{}`)}})
	got, err := s.Stats(t.Context(), "m")
	if err != nil || got.Requests != 2 || got.Rows != 1 || got.Refused != 1 || got.Failed != 0 || got.InFlight != 0 || len(got.Versions) != 2 || got.P50 <= 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Stats(t.Context(), "other"); err == nil {
		t.Error("a model that nobody asked for has stats")
	}
}
