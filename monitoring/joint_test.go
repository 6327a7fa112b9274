// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/serving/prediction"
	"flyball/unit"
)

// together is rows of which a and b go together, by a correlation, and c by itself.
func together(seed uint64, start time.Time, days int, correlation float64) []prediction.Joined {
	r := rand.New(rand.NewPCG(seed, 9))
	var out []prediction.Joined
	for d := range days {
		for i := range 72 {
			at := start.AddDate(0, 0, d).Add(time.Duration(i) * 20 * time.Minute)
			a, c := r.NormFloat64(), r.NormFloat64()
			b := correlation*a + math.Sqrt(1-correlation*correlation)*r.NormFloat64()
			out = append(out, prediction.Joined{Record: prediction.Record{
				Model: "m", Version: 3, Arm: prediction.Live, Time: at, Due: at, Row: fmt.Appendf(nil, `{"a":%g,"b":%g,"c":%g}`, a, b, c), Scores: []float64{c},
			}, Label: &prediction.Label{Value: fmt.Sprint(c)}})
		}
	}
	return out
}

var togetherInputs = []frame.Field{{Name: "a", Kind: frame.Number}, {Name: "b", Kind: frame.Number}, {Name: "c", Kind: frame.Number}}

func togetherProfile(t *testing.T, seed uint64, start time.Time, correlation float64) *Profile {
	t.Helper()
	return togetherOf(t, Policy{AtLeast: 100}, together(seed, start, 280, correlation))
}

func togetherOf(t *testing.T, policy Policy, rows []prediction.Joined) *Profile {
	t.Helper()
	var at []int64
	cols := make([][]float64, 3)
	for _, j := range rows {
		at = append(at, j.Time.UnixMicro())
		v := make([]float64, 3)
		if _, err := fmt.Sscanf(string(j.Row), `{"a":%g,"b":%g,"c":%g}`, &v[0], &v[1], &v[2]); err != nil {
			t.Fatal(err)
		}
		for c := range cols {
			cols[c] = append(cols[c], v[c])
		}
	}
	p, err := NewProfile(policy, dataset.Task{Kind: dataset.Regression, Time: "at"}, togetherInputs,
		frame.New(frame.TimeColumn("at", at), frame.NumberColumn("a", cols[0]), frame.NumberColumn("b", cols[1]), frame.NumberColumn("c", cols[2])), nil, Residuals{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestColumnsThatNoLongerGoTogetherAreFoundThoughEachIsAsItWas(t *testing.T) {
	start := date(2022, 1, 1)
	in := Input{Policy: Policy{AtLeast: 100}, Task: dataset.Task{Kind: dataset.Regression}, Profile: togetherProfile(t, 1, start.AddDate(0, 0, -280), 0.6), Model: "m", Version: 3}
	for _, c := range []struct {
		name        string
		correlation float64
		want        bool
	}{{"as it was", 0.6, false}, {"broken", 0, true}, {"turned", -0.6, true}} {
		_, findings, _ := run(t, in, together(2, start, 60, c.correlation), start, start.AddDate(0, 0, 60), 24*time.Hour)
		var drift []Finding
		for _, f := range findings {
			if f.Kind == Drift && f.Closed.IsZero() {
				drift = append(drift, f)
			}
		}
		if !c.want {
			if len(drift) > 0 {
				t.Errorf("%s: got %q, want nothing", c.name, drift[0].Text)
			}
			continue
		}
		if len(drift) != 1 {
			t.Errorf("%s: got %v, want one finding", c.name, opened(findings))
			continue
		}
		if f := drift[0]; !strings.Contains(f.Subject, "a") || !strings.Contains(f.Subject, "b") || strings.Contains(f.Subject, "c ") || f.Opened.After(start.AddDate(0, 0, 42)) {
			t.Errorf("%s: got %q at %v of %q, want a with b within six weeks", c.name, f.Text, f.Opened, f.Subject)
		}
	}
}

// In the first half of each year a and b go together, in the second they do not.
func TestWithASeasonColumnsAreHeldAgainstTheSameSeason(t *testing.T) {
	const half = 182
	policy := Policy{AtLeast: 100, Season: unit.Duration(365 * 24 * time.Hour)}
	var past []prediction.Joined
	for year := range 2 {
		start := date(2020, 1, 1).AddDate(0, 0, 365*year)
		past = append(past, together(uint64(10+year), start, half, 0.6)...)
		past = append(past, together(uint64(20+year), start.AddDate(0, 0, half), 365-half, 0)...)
	}
	p := togetherOf(t, policy, past)
	if p.Joint == nil || p.Joint.Season != policy.Season || len(p.Joint.Held) != len(p.Windows) || p.Joint.Rows < 7000 {
		t.Fatalf("got %+v, want a sample of each window", p.Joint)
	}
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if p, err = DecodeProfile(raw); err != nil {
		t.Fatal(err)
	}
	p.Joint.Held[0]++
	if raw, err = p.Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeProfile(raw); err == nil {
		t.Error("a sample whose windows do not add up was read")
	}
	p.Joint.Held[0]--
	start := date(2020, 1, 1).AddDate(0, 0, 365*2)
	in := Input{Policy: policy, Task: dataset.Task{Kind: dataset.Regression}, Profile: p, Model: "m", Version: 3}
	for _, c := range []struct {
		name        string
		after       int // days of the year
		correlation float64
		want        bool
	}{
		{"spring as it ever was", 40, 0.6, false},
		{"autumn as it ever was", 220, 0, false},
		{"a spring like an autumn", 40, 0, true},
		{"an autumn like a spring", 220, 0.6, true},
	} {
		from := start.AddDate(0, 0, c.after)
		rows := together(30, from, 42, c.correlation)
		_, findings, _ := run(t, in, rows, from, from.AddDate(0, 0, 42), 24*time.Hour)
		found := slices.ContainsFunc(findings, func(f Finding) bool {
			return f.Kind == Drift && strings.Contains(f.Text, "a and b no longer go together")
		})
		if found != c.want {
			t.Errorf("%s: found %v, want %v; %v", c.name, found, c.want, opened(findings))
		}
	}
	stand := func(policy Policy, from time.Time) Standing {
		return Stand(StandingInput{Policy: policy, Task: in.Task, Profile: p, Model: "m", Version: 3, Newest: together(31, from, 8, 0), Now: from.AddDate(0, 0, 9)})
	}
	if got := stand(policy, start.AddDate(0, 0, 40)); got.Together == nil || got.Together.Was < 0.5 || got.Together.Usual < 0.5 {
		t.Errorf("got %+v, %v, want the spring before beside it", got.Together, got.Unknown)
	}
	if got := stand(Policy{AtLeast: 100}, start); got.Together != nil || !slices.ContainsFunc(got.Unknown, func(s string) bool { return strings.Contains(s, "another season") }) {
		t.Errorf("got %+v, %v, want that it is said", got.Together, got.Unknown)
	}
	if got := stand(policy, date(2020, 3, 1)); got.Together != nil || !slices.ContainsFunc(got.Unknown, func(s string) bool { return strings.Contains(s, "too few rows of this season") }) {
		t.Errorf("got %+v, %v, want that the reference holds no season before", got.Together, got.Unknown)
	}
}

func TestAClassifierTellsOnlyWhatDiffersAndByWhat(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	draw := func(n int, shift float64) [][]uint8 {
		x := make([][]uint8, 12)
		for range n {
			for c := range x {
				v := r.NormFloat64()
				if c == 7 {
					v += shift
				}
				x[c] = append(x[c], uint8(min(9, max(0, 5+2*v))))
			}
		}
		return x
	}
	sum := 0.0
	for range 20 {
		auc, _ := tellApart(draw(500, 0), draw(500, 0))
		sum += auc / 20
	}
	if math.Abs(sum-0.5) > 0.015 {
		t.Errorf("got a mean AUC of %.3f of equal samples, want 0.5", sum)
	}
	auc, gain := tellApart(draw(500, 1), draw(700, 0))
	if auc < 0.65 || slices.Index(gain, slices.Max(gain)) != 7 {
		t.Errorf("got AUC %.2f, gains %.0f, want column 7 found", auc, gain)
	}
	if auc, _ := tellApart(draw(2, 0), draw(500, 0)); auc != 0.5 {
		t.Errorf("got %g of two rows, want that it cannot tell", auc)
	}
}

func TestAProfileKeepsABoundedSampleOfItsRows(t *testing.T) {
	p := togetherProfile(t, 3, date(2021, 1, 1), 0.3)
	if p.Joint == nil || p.Joint.Rows != jointKept || len(p.Joint.Codes) != 3*jointKept || len(p.Joint.Pairs) != len(p.Windows) {
		t.Fatalf("got %+v", p.Joint)
	}
	raw, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeProfile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Joint.Codes, p.Joint.Codes) {
		t.Error("the sample came back otherwise")
	}
	for name, spoil := range map[string]func(j *Joint){
		"a column that there is not": func(j *Joint) { j.Columns[2] = 3 },
		"a column twice":             func(j *Joint) { j.Columns[1] = 0 },
		"a row short":                func(j *Joint) { j.Codes = j.Codes[1:] },
		"a group that there is not":  func(j *Joint) { j.Codes[5] = 200 },
		"a window short":             func(j *Joint) { j.Pairs = j.Pairs[1:] },
		"an area above one":          func(j *Joint) { j.Apart[0] = 2 },
	} {
		bad, err := DecodeProfile(raw)
		if err != nil {
			t.Fatal(err)
		}
		spoil(bad.Joint)
		b, err := bad.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeProfile(b); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// shifted is the row with its c moved.
func shifted(row []byte, by float64) []byte {
	var a, b, c float64
	fmt.Sscanf(string(row), `{"a":%g,"b":%g,"c":%g}`, &a, &b, &c)
	return fmt.Appendf(nil, `{"a":%g,"b":%g,"c":%g}`, a, b, c+by)
}
