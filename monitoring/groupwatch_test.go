// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"flyball/data/dataset"
	"flyball/serving/prediction"
	"flyball/unit"
)

// people are rows a day of two groups, of which the second has a share, decided yes at
// their rates; the truth is yes at the same rate for all and is known two days later.
type people struct {
	perDay     int
	share      float64
	men, women float64 // selection rates
	season     float64 // how much all rates swing in a week
}

func (p people) of(rng *rand.Rand, from time.Time, days int) []prediction.Joined {
	var out []prediction.Joined
	for d := range days {
		swing := 1 + p.season*float64(d%7-3)/3
		for i := range p.perDay {
			at := from.AddDate(0, 0, d).Add(time.Duration(i) * 24 * time.Hour / time.Duration(p.perDay))
			r := scored(len(out), at, `{"x":1}`)
			r.Due = at.AddDate(0, 0, 2)
			rate, group := p.men, "men"
			if rng.Float64() < p.share {
				rate, group = p.women, "women"
			}
			score := 0.2
			if rng.Float64() < rate*swing {
				score = 0.9
			}
			r.Scores, r.Audit = []float64{score}, map[string]string{"gender": group}
			truth := "0"
			if rng.IntN(2) == 1 {
				truth = "1"
			}
			r.Label = &prediction.Label{Value: truth, At: r.Due, Received: r.Due}
			out = append(out, r)
		}
	}
	return out
}

func watchGroups(rows []prediction.Joined, from time.Time, days int) Output {
	return Step(Input{
		Model: "m", Version: 1, State: Start(Policy{}, from), Rows: rows, Now: from.AddDate(0, 0, days),
		Task: dataset.Task{Kind: dataset.Binary, Audit: []dataset.Slice{{Column: "gender"}}, Truth: dataset.Truth{Within: unit.Duration(48 * time.Hour)}},
	})
}

func groupFindings(out Output) (opened []Finding) {
	for _, f := range out.Findings {
		if f.Kind == Groups && f.Closed.IsZero() {
			opened = append(opened, f)
		}
	}
	return opened
}

func TestAGroupThatIsSelectedLessIsAFindingThatNeverRetrains(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := people{perDay: 400, share: 0.4, men: 0.3, women: 0.18}
	got := groupFindings(watchGroups(p.of(rand.New(rand.NewPCG(1, 1)), from, 30), from, 30))
	if len(got) == 0 {
		t.Fatal("nothing was found")
	}
	f := got[0]
	if f.Subject != "gender=women: selection" || f.Trigger || f.Duty != "monitor" || f.Severity != "warn" || f.Opened.After(from.AddDate(0, 0, 14)) {
		t.Errorf("got %+v", f)
	}
	if !strings.Contains(f.Text, "gender=women is decided yes 0.6") || !strings.Contains(f.Text, "as often as men") || !strings.Contains(f.Text, "at least 0.8 is asked for") {
		t.Errorf("got %q", f.Text)
	}
	if a := Advise(f, nil); a.Command != "flyball groups m" || len(a.Causes) < 3 || a.Diagnosis == "" {
		t.Errorf("got %+v", a)
	}
}

// TestAlikeGroupsAreSeldomAndUnlikeGroupsOftenTold counts the months with a finding: a
// model may have one false alarm a month, of which groups are to take no more than a third.
func TestAlikeGroupsAreSeldomAndUnlikeGroupsOftenTold(t *testing.T) {
	months := 12
	if os.Getenv("FLYBALL_LONG") == "1" {
		months = 800
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		people
		least, most float64 // findings a month
	}{
		{people{200, 0.4, 0.1, 0.1, 0}, 0, 0.02},
		{people{200, 0.1, 0.3, 0.3, 0.5}, 0, 0.02},
		{people{500, 0.5, 0.3, 0.3, 0}, 0, 0.02},
		{people{400, 0.4, 0.3, 0.24, 0.5}, 0, 0.33}, // at the limit
		{people{400, 0.4, 0.3, 0.18, 0}, 0.9, 5},
		{people{600, 0.3, 0.1, 0.06, 0.5}, 0.9, 5},
	} {
		t.Run(fmt.Sprint(c.people), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			found, seen := 0, 0
			for range months {
				got := groupFindings(watchGroups(c.of(rng, from, 30), from, 30))
				found += len(got)
				if len(got) > 0 {
					seen++
				}
			}
			per := float64(found) / float64(months)
			t.Logf("%.3f findings a month; months with one: %.2f", per, float64(seen)/float64(months))
			if c.least > 0 {
				per = float64(seen) / float64(months)
			}
			if per < c.least || per > c.most {
				t.Errorf("%.3f a month, want %.2f to %.2f", per, c.least, c.most)
			}
		})
	}
}

func TestALargestGroupThatIsSelectedLessIsFoundToo(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := people{perDay: 400, share: 0.7, men: 0.3, women: 0.18}
	for _, f := range groupFindings(watchGroups(p.of(rand.New(rand.NewPCG(1, 1)), from, 30), from, 30)) {
		if f.Subject == "gender=men: selection above" && strings.Contains(f.Text, "times as often as women") && strings.Contains(f.Text, "at most 1.2 is asked for") {
			return
		}
	}
	t.Error("nothing was found")
}

func TestAGapOfOneTruthIsFoundWhenTruthsAreDue(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rng := rand.New(rand.NewPCG(5, 5))
	rows := people{perDay: 600, share: 0.5, men: 0.5, women: 0.5}.of(rng, from, 30)
	for i := range rows { // women's yes are found less often, their no taken for yes more often
		r := &rows[i]
		rate := 0.5
		if r.Audit["gender"] == "women" && r.Label.Value == "1" {
			rate = 0.25
		}
		if r.Audit["gender"] == "women" && r.Label.Value == "0" {
			rate = 0.75
		}
		r.Scores = []float64{0.1}
		if rng.Float64() < rate {
			r.Scores = []float64{0.9}
		}
	}
	subjects := map[string]bool{}
	for _, f := range groupFindings(watchGroups(rows, from, 30)) {
		subjects[f.Subject] = true
	}
	if fmt.Sprint(subjects) != "map[gender=women: fpr above:true gender=women: tpr below:true]" && fmt.Sprint(subjects) != "map[gender=men: fpr below:true gender=men: tpr above:true]" {
		t.Errorf("got %v", subjects)
	}
}

func TestAModelWithoutGroupsIsNotWatchedForThem(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := people{perDay: 300, share: 0.5, men: 0.5, women: 0.1}.of(rand.New(rand.NewPCG(6, 6)), from, 10)
	out := Step(Input{Model: "m", Version: 1, State: Start(Policy{}, from), Rows: rows, Now: from.AddDate(0, 0, 10), Task: dataset.Task{Kind: dataset.Binary}})
	if len(groupFindings(out)) > 0 || out.State.Groups != nil || out.State.Against != nil {
		t.Errorf("got %+v", out.State)
	}
}

func TestWhenItWasAskedDoesNotChangeWhatIsFoundOfGroups(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := people{perDay: 300, share: 0.5, men: 0.4, women: 0.2}.of(rand.New(rand.NewPCG(7, 7)), from, 12)
	whole := watchGroups(rows, from, 12)
	st, n := Start(Policy{}, from), 0
	for d := range 12 {
		out := Step(Input{
			Model: "m", Version: 1, State: st, Rows: rows[:min(len(rows), (d+1)*300)], Now: from.AddDate(0, 0, d+1),
			Task: dataset.Task{Kind: dataset.Binary, Audit: []dataset.Slice{{Column: "gender"}}, Truth: dataset.Truth{Within: unit.Duration(48 * time.Hour)}},
		})
		st, n = out.State, n+len(groupFindings(out))
	}
	if fmt.Sprint(st.Groups) != fmt.Sprint(whole.State.Groups) || n != len(groupFindings(whole)) {
		t.Errorf("a day at a time: %d findings, %v\nat once: %d, %v", n, st.Groups, len(groupFindings(whole)), whole.State.Groups)
	}
}
