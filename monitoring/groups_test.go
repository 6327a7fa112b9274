// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
)

// inGroups are rows answered one second after another, so many of each group in turn.
func inGroups(counts map[string]int, order ...string) []prediction.Joined {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out []prediction.Joined
	for _, g := range order {
		for range counts[g] {
			r := scored(len(out), at.Add(time.Duration(len(out))*time.Second), `{"branch":"b"}`)
			r.Scores, r.Audit = []float64{0.9}, map[string]string{"gender": g}
			out = append(out, r)
		}
	}
	return out
}

// table is what is told of rows: each group's name and rows, and how many are left out.
func tableOf(rows []prediction.Joined) string {
	task := dataset.Task{Kind: dataset.Binary, Groups: []dataset.Slice{{Column: "branch"}}, Audit: []dataset.Slice{{Column: "gender"}}}
	g := NewGroupRows(task, rows[0].Time.Add(time.Hour))
	for i := range rows {
		g.Add(&rows[i], rows[i].Scores[0])
	}
	seen := g.See(0)
	var out []string
	for _, t := range seen.Tables {
		if t.Column != "gender" {
			continue
		}
		for _, r := range t.Groups {
			out = append(out, fmt.Sprint(r.Value, " ", r.Rows, "/", r.Known))
		}
		out = append(out, fmt.Sprint("of ", t.Rows, ", without ", t.Suppress))
	}
	return strings.Join(append(out, seen.Unknown...), "; ")
}

func TestATableOfGroupsHidesSmallOnesAndGrowsTenAtATime(t *testing.T) {
	for _, c := range []struct {
		name   string
		counts map[string]int
		want   string
	}{
		{"the newest rows wait until they are ten", map[string]int{"f": 49, "m": 30}, "f 40/0; m 30/0; of 70, without 0"},
		{"nothing of fewer than ten, nor of their number", map[string]int{"f": 40, "m": 30, "x": 9}, "f 40/0; m 30/0; of 70, without 1"},
		{"the smallest beside the only hidden one goes too", map[string]int{"f": 40, "m": 30, "d": 20, "x": 9}, "f 40/0; m 30/0; of 70, without 2"},
		{"two hidden ones hide each other", map[string]int{"f": 40, "m": 30, "d": 20, "x": 9, "y": 8}, "f 40/0; m 30/0; d 20/0; of 90, without 2"},
		{"all too small", map[string]int{"f": 9, "m": 9}, "gender: no group has 10 rows yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tableOf(inGroups(c.counts, "f", "m", "d", "x", "y")); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTruthsComeIntoATableTenAtATimeAndOnlyWhenTheyAreDue(t *testing.T) {
	rows := inGroups(map[string]int{"f": 40, "m": 40}, "f", "m")
	for i := range rows {
		switch {
		case i < 27: // 27 of the women's
			rows[i].Label = &prediction.Label{Value: "1", Received: rows[i].At}
		case i >= 40 && i < 60: // 20 of the men's, not due
			rows[i].Label, rows[i].Due = &prediction.Label{Value: "1", Received: rows[i].At}, rows[i].At.AddDate(0, 0, 9)
		}
	}
	if got, want := tableOf(rows), "f 40/20; m 40/0; of 80, without 0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNumbersOfRowsAreCutIntoBinsAndOddRowsHaveNoGroup(t *testing.T) {
	task := dataset.Task{Kind: dataset.Binary, Groups: []dataset.Slice{{Column: "age", Bins: []float64{30}}}}
	g := NewGroupRows(task, time.Now())
	for i := range 40 {
		row := []string{`{"age":20}`, `{"age":"45"}`, `{"age":"old"}`, `[1]`}[i%4]
		r := scored(i, time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC), row)
		g.Add(&r, 0.4)
	}
	seen := g.See(0)
	if len(seen.Tables) != 1 || len(seen.Tables[0].Groups) != 2 || seen.Tables[0].Groups[0].Value != "<30" || seen.Tables[0].Groups[1].Value != "≥30" {
		t.Errorf("got %+v", seen)
	}
}
