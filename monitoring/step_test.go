// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/serving/prediction"
	"flyball/unit"
)

// world makes rows of a stream with seasons: a yearly and a weekly one in x, which
// the model knows and predicts without bias.
type world struct {
	r      *rand.Rand
	perDay int
	common float64 // noise of the day, half of which stays to the next
}

type row struct {
	at           time.Time
	x, level     float64
	shop         string
	truth, score float64
}

func newWorld(seed uint64, perDay int) *world {
	return &world{r: rand.New(rand.NewPCG(seed, 7)), perDay: perDay}
}

// day is the rows of one day; the truth differs from the score by noise of 1, and
// by a part that is common to the day and half of it to the next: days are alike.
func (w *world) day(d time.Time) []row {
	out := make([]row, w.perDay)
	season := math.Sin(2 * math.Pi * float64(d.YearDay()) / 365)
	w.common = 0.5*w.common + 0.2*w.r.NormFloat64()
	for i := range out {
		out[i] = row{at: d.Add(time.Duration(i) * 24 * time.Hour / time.Duration(w.perDay)), level: w.r.NormFloat64()}
		out[i].x = season + 0.3*float64(d.Weekday()) + w.r.NormFloat64()
		out[i].shop = string(rune('a' + w.r.IntN(5)))
		out[i].score = 10 + out[i].x
		out[i].truth = out[i].score + w.common + w.r.NormFloat64()
	}
	return out
}

func (w *world) days(from time.Time, n int) []row {
	var out []row
	for i := range n {
		out = append(out, w.day(from.AddDate(0, 0, i))...)
	}
	return out
}

var simTask = dataset.Task{Column: "y", Kind: dataset.Regression, Time: "at"}

func simPolicy() Policy {
	return Policy{
		Every: unit.Duration(24 * time.Hour), FalseAlarms: 1, AtLeast: 50,
		Score: &ScorePolicy{Metric: "mae", PageIf: Worse{By: 0.2}},
	}
}

func profileOf(t *testing.T, p Policy, rows []row) *Profile {
	t.Helper()
	var at []int64
	var x, level, scores []float64
	var shop []string
	r := Residuals{}
	held := rows[len(rows)-1].at.AddDate(0, 0, -28)
	for _, v := range rows {
		at, x, level, shop, scores = append(at, v.at.UnixMicro()), append(x, v.x), append(level, v.level), append(shop, v.shop), append(scores, v.score)
		if v.at.After(held) {
			r.Truth, r.Scores, r.Time = append(r.Truth, v.truth), append(r.Scores, v.score), append(r.Time, v.at.UnixMicro())
		}
	}
	profile, err := NewProfile(p, simTask,
		[]frame.Field{{Name: "x", Kind: frame.Number}, {Name: "level", Kind: frame.Number}, {Name: "shop", Kind: frame.Text}},
		frame.New(frame.TimeColumn("at", at), frame.NumberColumn("x", x), frame.NumberColumn("level", level), frame.TextColumn("shop", shop, nil)), scores, r)
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func served(rows []row) []prediction.Joined {
	out := make([]prediction.Joined, len(rows))
	for i, v := range rows {
		raw := fmt.Appendf(nil, `{"x":%g,"level":%g,"shop":%q}`, v.x, v.level, v.shop)
		if math.IsNaN(v.level) {
			raw = fmt.Appendf(nil, `{"x":%g,"level":null,"shop":%q}`, v.x, v.shop)
		}
		out[i] = prediction.Joined{
			Record: prediction.Record{Model: "m", Version: 3, Arm: prediction.Live, Time: v.at, Due: v.at.Add(time.Hour), Row: raw, Scores: []float64{v.score}},
			Label:  &prediction.Label{Value: strconv.FormatFloat(v.truth, 'g', -1, 64)},
		}
	}
	return out
}

// run steps through the rows, each time with what State asks for, and gathers what
// was found.
func run(t *testing.T, in Input, rows []prediction.Joined, from, to time.Time, every time.Duration) (State, []Finding, []Note) {
	t.Helper()
	var findings []Finding
	var notes []Note
	in.State = Start(in.Policy, from)
	first := 0
	for now := from; !now.After(to); now = now.Add(every) {
		for first < len(rows) && rows[first].Time.Before(in.State.From) {
			first++
		}
		last := first
		for last < len(rows) && rows[last].Time.Before(now) {
			last++
		}
		in.Rows, in.Now = rows[first:last], now
		out := Step(in)
		in.State = out.State
		findings, notes = append(findings, out.Findings...), append(notes, out.Notes...)
	}
	return in.State, findings, notes
}

func opened(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		if f.Closed.IsZero() {
			out = append(out, f.Kind+" "+f.Subject)
		}
	}
	return out
}

func TestAlarmsStayWithinTheBudgetWhenNothingChangesButTheSeason(t *testing.T) {
	for name, season := range map[string]unit.Duration{"against all windows": 0, "against the same season": unit.Duration(365 * 24 * time.Hour)} {
		t.Run(name, func(t *testing.T) {
			streams, months := 3, 6
			if os.Getenv("FLYBALL_LONG") != "" {
				streams = 12
			}
			var alarms []string
			p := simPolicy()
			p.Season = season
			for seed := range uint64(streams) {
				w := newWorld(seed, 60)
				profile := profileOf(t, p, w.days(date(2020, 1, 1), 2*365))
				start := date(2022, 1, 1)
				_, findings, notes := run(t, Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3}, served(w.days(start, 30*months)),
					start, start.AddDate(0, 0, 30*months), 24*time.Hour)
				alarms = append(alarms, opened(findings)...)
				if len(notes) > 0 {
					t.Errorf("got the note %q, want all to be judged", notes[0].Text)
				}
			}
			if limit := streams * months; len(alarms) > limit {
				t.Errorf("got %d false alarms, want at most one a month, %d: %v", len(alarms), limit, alarms)
			}
		})
	}
}

func TestWhatChangedIsNamed(t *testing.T) {
	start := date(2022, 1, 1)
	change := start.AddDate(0, 0, 20)
	profile := profileOf(t, simPolicy(), newWorld(99, 60).days(date(2020, 1, 1), 2*365))
	for _, c := range []struct {
		name   string
		spoil  func(r *row)
		drop   func(r row) bool
		min    int
		want   string // kind and subject
		within int    // days
		text   string
	}{
		{
			name: "a unit change of an input is drift", spoil: func(r *row) { r.level = r.level*1.5 + 1.5 },
			want: "drift level", within: 60, text: "level drifted: ",
		},
		{
			name: "scores that move with nothing else are drift of the prediction", spoil: func(r *row) { r.score += 4; r.truth += 4 },
			want: "drift prediction", within: 60, text: "prediction drifted: ",
		},
		{
			name: "truth that leaves the scores behind is bias", spoil: func(r *row) { r.truth += 0.8 },
			want: "score bias", within: 14, text: "bias: predicts 0.",
		},
		{
			name: "a small bias that stays is seen in the week", spoil: func(r *row) { r.truth += 0.5 },
			want: "score bias", within: 12, text: "too few (±",
		},
		{
			name: "errors that grow are worse performance, though there is no bias", spoil: func(r *row) { r.truth = r.score + 1.8*(r.truth-r.score) },
			want: "score mae", within: 21, text: "mae is 1.",
		},
		{
			name: "a missing surge is quality", spoil: func(r *row) {
				if r.at.Minute() < 40 {
					r.level = math.NaN()
				}
			},
			want: "quality level missing", within: 1, text: "level missing in ",
		},
		{
			name: "an unseen category is quality", spoil: func(r *row) {
				if r.shop == "c" {
					r.shop = "zz"
				}
			},
			want: "quality shop unseen", within: 1, text: "such as zz",
		},
		{
			name: "a sentinel is quality", spoil: func(r *row) {
				if r.at.Hour()%6 == 0 {
					r.level = -999
				}
			},
			want: "quality level far out of range", within: 1, text: "such as -999",
		},
		{
			name: "a stuck column is quality", spoil: func(r *row) { r.level = 0.25 },
			want: "quality level stuck", within: 20, text: "level is stuck at 0.25",
		},
		{
			name: "a gap is quality", drop: func(r row) bool { return r.at.Day() == 25 }, min: 40,
			want: "quality rows", within: 5, text: "rows missing: 0 rows in 1 day from 25 Jan 2022, at least 40 rows asked for",
		},
		{
			name: "a gap is seen without a check, by the reference", drop: func(r row) bool { return r.at.Day() == 25 && r.at.Hour() < 20 },
			want: "quality rows", within: 5, text: "60 rows are usual",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(99, 60)
			p := simPolicy()
			w.days(date(2020, 1, 1), 2*365) // those of the profile
			var kept []row
			for _, r := range w.days(start, 110) {
				if !r.at.Before(change) && c.spoil != nil {
					c.spoil(&r)
				}
				if c.drop == nil || !c.drop(r) || r.at.Before(change) {
					kept = append(kept, r)
				}
			}
			_, findings, _ := run(t, Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3, MinRowsPerWindow: c.min},
				served(kept), start, start.AddDate(0, 0, 110), 24*time.Hour)
			i := slices.IndexFunc(findings, func(f Finding) bool { return f.Kind+" "+f.Subject == c.want })
			if i < 0 {
				t.Fatalf("got %v, want %s", opened(findings), c.want)
			}
			f := findings[i]
			if late := f.Opened.Sub(change); late < 0 || late > time.Duration(c.within)*24*time.Hour {
				t.Errorf("got it %v after the change, want within %d days", late, c.within)
			}
			if !strings.Contains(f.Text, c.text) || len(f.Text) > 120 {
				t.Errorf("got %q, want in it %q", f.Text, c.text)
			}
			if quality := f.Kind == Quality; f.Trigger == quality || (f.Duty == "feed") != quality {
				t.Errorf("got trigger %v and duty %s for %s", f.Trigger, f.Duty, f.Kind)
			}
		})
	}
}

func TestAFindingIsToldOnceAndEnds(t *testing.T) {
	w, p := newWorld(5, 60), simPolicy()
	profile := profileOf(t, p, w.days(date(2020, 1, 1), 2*365))
	start := date(2022, 1, 1)
	rows := w.days(start, 60)
	for i := range rows {
		if rows[i].at.After(date(2022, 1, 10)) && rows[i].at.Before(date(2022, 1, 20)) {
			rows[i].level = math.NaN()
		}
	}
	_, findings, _ := run(t, Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3}, served(rows), start, start.AddDate(0, 0, 60), 24*time.Hour)
	var got []Finding
	for _, f := range findings {
		if f.Subject == "level missing" {
			got = append(got, f)
		}
	}
	if len(got) != 2 {
		t.Fatalf("got %d tellings, want an opening and an end", len(got))
	}
	if want := date(2022, 1, 11); !got[0].Opened.Equal(want) || !got[0].Closed.IsZero() {
		t.Errorf("opened %v, want %v", got[0].Opened, want)
	}
	if want := date(2022, 1, 23); !got[1].Closed.Equal(want) || got[1].ID != got[0].ID {
		t.Errorf("closed %v, want %v after three quiet windows", got[1].Closed, want)
	}
	if want := "m/3/quality/level missing/2022-01-11T00:00Z"; got[0].ID != want {
		t.Errorf("id %q, want %q", got[0].ID, want)
	}
}

func TestSteppingTwiceOrSeldomFindsTheSame(t *testing.T) {
	w, p := newWorld(11, 60), simPolicy()
	profile := profileOf(t, p, w.days(date(2020, 1, 1), 2*365))
	start := date(2022, 1, 1)
	raw := w.days(start, 70)
	for i := range raw {
		if raw[i].at.After(date(2022, 2, 1)) {
			raw[i].truth += 1
			raw[i].level *= 3
		}
	}
	rows := served(raw)
	in := Input{Policy: p, Task: simTask, Profile: profile, Model: "m", Version: 3}
	hourly, often, _ := run(t, in, rows, start, date(2022, 3, 5), time.Hour)
	weekly, seldom, _ := run(t, in, rows, start, date(2022, 3, 5), 7*24*time.Hour)
	if !reflect.DeepEqual(often, seldom) || len(often) == 0 {
		t.Errorf("got %v by the hour and %v by the week, want the same", opened(often), opened(seldom))
	}
	if !reflect.DeepEqual(hourly, weekly) {
		t.Error("the state differs between stepping by the hour and by the week")
	}
	in.State, in.Rows, in.Now = hourly, rows, date(2022, 3, 5)
	again := Step(in)
	if !reflect.DeepEqual(again, Output{State: hourly}) {
		t.Error("a second step at the same moment found something")
	}
	b, err := json.Marshal(hourly)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, hourly) {
		t.Errorf("the state does not survive JSON:\n%+v\n%+v", back, hourly)
	}
	if len(b) > 20_000 {
		t.Errorf("the state has %d bytes, want a small one", len(b))
	}
}
