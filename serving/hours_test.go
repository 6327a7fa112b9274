// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flyball/model"
	"flyball/serving/release"
)

func TestRequestsAreCountedByTheHourAndTheRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Log: &memoryLog{}, Now: func() time.Time { return time.Now().UTC() }})
		live := always(t, 1, "x")
		publish := func(generation int64, stop string) {
			t.Helper()
			if err := s.Publish("m", Entry{Stop: stop, Route: release.Route{Model: "m", Live: 1, Generation: generation}, Versions: map[int]*model.Bundle{1: live}}); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(ctx context.Context, rows ...string) {
			req := Request{Model: "m"}
			for _, r := range rows {
				req.Rows = append(req.Rows, json.RawMessage(r))
			}
			_, _ = s.Predict(ctx, req) // what came of it is counted
		}
		begin := time.Now().UTC().Truncate(time.Hour)
		publish(1, "")
		ask(t.Context(), `{"x":1}`)
		ask(t.Context()) // no rows: refused
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		ask(gone, `{"x":1}`)
		publish(2, "a reason")
		ask(t.Context(), `{"x":1}`)
		time.Sleep(time.Hour)
		publish(3, "")
		want := []release.Hour{
			{Model: "m", Start: begin, Generation: 1, Answered: 1, Rows: 1},
			{Model: "m", Start: begin, Generation: 2, Failed: 1},
			{Model: "m", Start: begin.Add(time.Hour), Generation: 3},
		}
		got := s.Hours()
		if got[0].Answered == 2 { // who went may have been answered all the same
			got[0].Answered, got[0].Rows = 1, 1
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		s.ForgetHours(s.Hours())
		if n := len(s.Hours()); n != 3 {
			t.Errorf("%d hours, of which the first was over just now; want 3", n)
		}
		time.Sleep(2 * time.Hour)
		kept := s.Hours()
		kept[1].Failed = 0 // what was kept is not what was counted
		s.ForgetHours(kept)
		if got := s.Hours(); len(got) != 2 || got[0].Generation != 2 {
			t.Errorf("after they were kept: %+v", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
