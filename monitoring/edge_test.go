// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
	"flyball/unit"
)

func TestWhatCannotBeJudgedIsSaidOnce(t *testing.T) {
	start := date(2022, 1, 1)
	for _, c := range []struct {
		name   string
		past   int // days of reference
		season unit.Duration
		late   bool // no label ever comes
		want   string
	}{
		{"too few windows to keep the budget", 120, 0, false, "cannot judge drift yet: 13 windows to compare with, 19 needed for the budget"},
		{"a season that the reference does not hold", 200, unit.Duration(365 * 24 * time.Hour), false, "the reference does not hold this season, so drift is not judged"},
		{"truth that does not come", 120, 0, true, "the truth of 238 of 238 rows due since 1 Jan 2022 is not known; score is not judged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p := newWorld(4, 60), simPolicy()
			p.Season = c.season
			profile := profileOf(t, p, w.days(start.AddDate(0, 0, -c.past), c.past))
			rows := served(w.days(start, 60))
			if c.late {
				for i := range rows {
					rows[i].Label = nil
				}
			}
			_, findings, notes := run(t, Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3}, rows, start, start.AddDate(0, 0, 60), 24*time.Hour)
			told := 0
			for _, n := range notes {
				if n.Text == c.want {
					told++
				}
			}
			if told != 1 {
				t.Errorf("got %d tellings of %q in %+v, want one", told, c.want, notes)
			}
			if slices.ContainsFunc(findings, func(f Finding) bool { return f.Kind == Drift }) {
				t.Errorf("got %v, want no finding of what cannot be judged", opened(findings))
			}
		})
	}
}

func TestAVersionWithoutAProfileHasItsVolumeWatched(t *testing.T) {
	start := date(2022, 1, 1)
	rows := served(newWorld(1, 30).days(start, 3))
	_, findings, _ := run(t, Input{Policy: simPolicy(), Task: simTask, Model: "m", Version: 3, MinRowsPerWindow: 20}, rows, start, start.AddDate(0, 0, 5), time.Hour)
	if got := opened(findings); !slices.Equal(got, []string{"quality rows"}) {
		t.Fatalf("got %v, want the missing rows", got)
	}
	if want := date(2022, 1, 5); !findings[0].Opened.Equal(want) {
		t.Errorf("got it at %v, want %v, when the first empty day was over", findings[0].Opened, want)
	}
}

func TestTheLastVersionsFindingsEndWithIt(t *testing.T) {
	now := date(2022, 2, 1)
	got := End(State{Open: []Episode{{Finding: Finding{ID: "a"}}, {Finding: Finding{ID: "b"}}}}, now)
	if len(got) != 2 || got[1].ID != "b" || !got[1].Closed.Equal(now) {
		t.Errorf("got %+v, want both closed at %v", got, now)
	}
}

func TestTruthCountsWhenItIsDueNotWhenItArrives(t *testing.T) {
	w, p := newWorld(8, 60), simPolicy()
	start := date(2022, 1, 1)
	profile := profileOf(t, p, w.days(date(2020, 1, 1), 2*365))
	rows := served(w.days(start, 40))
	for i := range rows { // every truth is known at once, and due after 30 days
		rows[i].Due = rows[i].Time.AddDate(0, 0, 30)
		rows[i].Label.Value = "1000"
	}
	in := Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3, State: Start(p, start), Rows: rows, Now: date(2022, 1, 31)}
	out := Step(in)
	for _, r := range out.Readings {
		if r.Kind == Score {
			t.Fatalf("got %+v before any truth was due", r)
		}
	}
	if want := start; !out.State.From.Equal(want) {
		t.Errorf("the rows from %v are asked for, want %v: their truth is still to come", out.State.From, want)
	}
	in.State, in.Now = out.State, date(2022, 2, 4)
	out = Step(in)
	i := slices.IndexFunc(out.Readings, func(r Reading) bool { return r.Subject == "mae" })
	if i < 0 || out.Readings[i].Start != date(2022, 1, 31) || out.Readings[i].Rows != 60 || out.Readings[i].Coverage != 1 {
		t.Errorf("got %+v, want the 60 rows that were due on 31 January", out.Readings)
	}
	if want := date(2022, 1, 5); !out.State.From.Equal(want) {
		t.Errorf("the rows from %v are asked for, want %v", out.State.From, want)
	}
}

func TestClassesAndMissingTruthAreReadAsTheEvaluationHasThem(t *testing.T) {
	label := func(v string) *prediction.Label { return &prediction.Label{Value: v} }
	for _, c := range []struct {
		name  string
		task  dataset.Task
		label *prediction.Label
		want  float64
		ok    bool
	}{
		{"a number", dataset.Task{Kind: dataset.Regression}, label("2.5"), 2.5, true},
		{"a number that is none", dataset.Task{Kind: dataset.Regression}, label("many"), 0, false},
		{"infinity", dataset.Task{Kind: dataset.Regression}, label("Inf"), math.Inf(1), false},
		{"a class by its name", dataset.Task{Kind: dataset.Multiclass}, label("b"), 1, true},
		{"a class that the model does not know", dataset.Task{Kind: dataset.Multiclass}, label("z"), 0, false},
		{"no truth", dataset.Task{Kind: dataset.Binary}, nil, 0, false},
		{"no truth that means no", dataset.Task{Kind: dataset.Binary, Truth: dataset.Truth{Missing: "negative"}}, nil, 0, true},
	} {
		s := newStepper(Input{Task: c.task, Profile: &Profile{Classes: []string{"a", "b"}}})
		got, ok := s.truthOf(&prediction.Joined{Label: c.label})
		if got != c.want || ok != c.ok {
			t.Errorf("%s: got %g, %v; want %g, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestHoursArePutTogetherToDaysBeforeTheirBiasIsJudged(t *testing.T) {
	// By night too many, by day too few, and right on the whole: no bias.
	w, p := newWorld(6, 480), simPolicy()
	p.Every, p.AtLeast = unit.Duration(time.Hour), 20
	spoil := func(rows []row) []row {
		for i := range rows {
			rows[i].truth += 0.6
			if rows[i].at.Hour() < 12 {
				rows[i].truth -= 1.2
			}
		}
		return rows
	}
	profile := profileOf(t, p, spoil(w.days(date(2021, 10, 1), 92)))
	start := date(2022, 1, 1)
	_, findings, _ := run(t, Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3}, served(spoil(w.days(start, 12))), start, start.AddDate(0, 0, 12), time.Hour)
	if got := opened(findings); slices.Contains(got, "score bias") {
		t.Errorf("got %v, want no bias", got)
	}
}

func TestTheStateOfAHugeTruthIsStillJSON(t *testing.T) {
	w, p := newWorld(8, 60), simPolicy()
	profile := profileOf(t, p, w.days(date(2021, 1, 1), 365))
	start := date(2022, 1, 1)
	rows := served(w.days(start, 3))
	for i := range rows {
		rows[i].Label.Value = "1e308"
		rows[i].Scores[0] = math.NaN()
	}
	out := Step(Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3, State: Start(p, start), Rows: rows, Now: start.AddDate(0, 0, 3)})
	if _, err := json.Marshal(out); err != nil {
		t.Error(err)
	}
}

func TestFiguresAreShort(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{figure(1234.56), "1235"},
		{figure(21.44), "21.4"},
		{signed(0.8), "+0.8"},
		{signed(-0.01234), "-0.0123"},
		{percent(0.67), "67%"},
		{percent(0.0234), "2.3%"},
		{plural(1, "row"), "1 row"},
		{plural(1234567, "row"), "1,234,567 rows"},
		{span(36 * time.Hour), "36 hours"},
		{span(7 * 24 * time.Hour), "7 days"},
		{strings.TrimSpace(moment(date(2022, 1, 5).Add(90 * time.Minute))), "5 Jan 2022 01:30"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
