// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
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

// bikes is the real history: an hour a row, with the counts a day and a week before.
type bikes struct {
	at   []time.Time
	cols map[string][]float64
}

var bikeInputs = []string{"hr", "weekday", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed", "lag24", "lag168"}

func readBikes(t *testing.T) bikes {
	t.Helper()
	f, err := os.Open("testdata/bikes.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b := bikes{cols: map[string][]float64{}}
	count := map[time.Time]float64{}
	for _, row := range rows[1:] {
		at, err := time.Parse("2006-01-02T15:04", row[0])
		if err != nil {
			t.Fatal(err)
		}
		b.at = append(b.at, at)
		for i, name := range rows[0][1:] {
			v, err := strconv.ParseFloat(row[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			b.cols[name] = append(b.cols[name], v)
		}
		count[at] = b.cols["cnt"][len(b.at)-1]
	}
	for _, at := range b.at {
		for name, ago := range map[string]time.Duration{"lag24": 24 * time.Hour, "lag168": 168 * time.Hour} {
			v, ok := count[at.Add(-ago)]
			if !ok {
				v = math.NaN()
			}
			b.cols[name] = append(b.cols[name], v)
		}
	}
	return b
}

// hourMean is a model: the mean count of that hour on such a day, over 2011 but for
// its last 14 days, or over all of it.
func (b bikes) hourMean(before time.Time) func(i int) float64 {
	var n, sum [48]float64
	key := func(i int) int { return int(b.cols["hr"][i]) + 24*int(b.cols["workingday"][i]) }
	for i, at := range b.at {
		if at.Before(before) {
			n[key(i)]++
			sum[key(i)] += b.cols["cnt"][i]
		}
	}
	return func(i int) float64 { return sum[key(i)] / n[key(i)] }
}

func (b bikes) profile(t *testing.T, p Policy, task dataset.Task) *Profile {
	t.Helper()
	end, held := date(2012, 1, 1), date(2011, 12, 18)
	model, judged := b.hourMean(end), b.hourMean(held)
	var times []int64
	var scores []float64
	r := Residuals{}
	n := 0
	for i, at := range b.at {
		if !at.Before(end) {
			break
		}
		n++
		times = append(times, at.UnixMicro())
		scores = append(scores, model(i))
		if !at.Before(held) {
			r.Truth, r.Scores, r.Time = append(r.Truth, b.cols["cnt"][i]), append(r.Scores, judged(i)), append(r.Time, at.UnixMicro())
		}
	}
	cols := []frame.Column{frame.TimeColumn("ts", times)}
	var fields []frame.Field
	for _, name := range bikeInputs {
		cols = append(cols, frame.NumberColumn(name, b.cols[name][:n]))
		fields = append(fields, frame.Field{Name: name, Kind: frame.Number})
	}
	profile, err := NewProfile(p, task, fields, frame.New(cols...), scores, r)
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func (b bikes) joined(t *testing.T) []prediction.Joined {
	t.Helper()
	model := b.hourMean(date(2012, 1, 1))
	var out []prediction.Joined
	for i, at := range b.at {
		if at.Before(date(2012, 1, 1)) {
			continue
		}
		row := map[string]any{}
		for _, name := range bikeInputs {
			row[name] = b.cols[name][i]
			if math.IsNaN(b.cols[name][i]) {
				row[name] = nil
			}
		}
		raw, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, prediction.Joined{
			Record: prediction.Record{Model: "bike-demand", Version: 1, Arm: prediction.Live, Time: at, Due: at.Add(time.Hour), Row: raw, Scores: []float64{model(i)}},
			Label:  &prediction.Label{Value: strconv.FormatFloat(b.cols["cnt"][i], 'g', -1, 64), At: at.Add(time.Hour)},
		})
	}
	return out
}

func date(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

var bikePolicy = Policy{
	Every: unit.Duration(24 * time.Hour), FalseAlarms: 1, AtLeast: 24, Season: unit.Duration(365 * 24 * time.Hour),
	Score: &ScorePolicy{Metric: "mae", PageIf: Worse{By: 0.3, Relative: true}},
}

func TestAYearOfBikesIsToldInAFewSentences(t *testing.T) {
	b := readBikes(t)
	task := dataset.Task{Column: "cnt", Kind: dataset.Regression, Time: "ts"}
	p := b.profile(t, bikePolicy, task)
	start := date(2012, 1, 1)
	_, findings, notes := run(t, Input{Policy: bikePolicy, Task: task, Profile: p, Model: "bike-demand", Version: 1, MinRowsPerWindow: 20},
		b.joined(t), start, date(2013, 1, 1), time.Hour)

	var told []string
	for _, n := range notes[:3] {
		told = append(told, n.At.Format(time.DateOnly)+" "+n.Text)
	}
	if want := []string{
		"2012-01-03 mae worse by 18.2 cannot be seen in ten windows: held-out blocks differ by ±30.4; 26.0 can",
		"2012-01-22 lag24 is 0.83 PSI from the same season a year ago; one season only, so no alarm",
		"2012-01-22 lag168 is 0.75 PSI from the same season a year ago; one season only, so no alarm",
	}; !slices.Equal(told, want) {
		t.Errorf("notes: got\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
	var got []string
	for _, f := range findings {
		if f.Kind == Drift {
			t.Errorf("%q: one season cannot judge drift", f.Text)
		}
		if f.Subject == "rows" || f.Subject == "lag24 missing" {
			word, at := "opened ", f.Opened
			if !f.Closed.IsZero() {
				word, at = "closed ", f.Closed
			}
			got = append(got, word+at.Format(time.DateOnly)+" "+f.Text)
		}
	}
	want := []string{
		"opened 2012-10-30 hours missing: 1 row on 29 Oct 2012, at least 20 rows asked for",
		"closed 2012-11-01 hours missing: 1 row on 29 Oct 2012, at least 20 rows asked for",
		"opened 2012-11-01 lag24 missing in 67% of 36 rows; at training 1.4%",
		"closed 2012-11-04 lag24 missing in 67% of 36 rows; at training 1.4%",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := len(opened(findings)); n > 12 {
		t.Errorf("got %d findings in a year, want a dozen at most: %v", n, opened(findings))
	}
}

func TestTheHourOfTheDayMovesByDesign(t *testing.T) {
	p := readBikes(t).profile(t, bikePolicy, dataset.Task{Column: "cnt", Kind: dataset.Regression, Time: "ts"})
	for _, f := range p.Features {
		want := map[string]string{"hr": "its windows never vary", "weekday": "its windows never vary"}[f.Name]
		if f.Fixed != want {
			t.Errorf("%s: got %q, want %q", f.Name, f.Fixed, want)
		}
	}
	if got, want := len(p.Windows), 17; got != want {
		t.Errorf("got %d windows of about 500 rows in a year of hours, want %d", got, want)
	}
	if got, want := p.Volume.Median, 24; got != want {
		t.Errorf("got %d rows a day, want %d", got, want)
	}
}

func BenchmarkAnHourInWhichNoBlockCloses(b *testing.B) {
	in := Input{Policy: bikePolicy, State: Start(bikePolicy, date(2012, 1, 1)), Now: date(2012, 1, 1).Add(5 * time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		Step(in)
	}
}
