// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/fault"
	"flyball/loop"
	"flyball/loop/rehearse/histories"
	"flyball/serving/release"
	"flyball/training/learner"
	"flyball/unit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read is a model file of the examples, with changes to its text.
func read(t *testing.T, file, pipeline string, changes ...string) loop.Model {
	t.Helper()
	m, err := histories.Read("../../examples", file, pipeline, changes...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// bikes is the history of the demo.
func bikes(t *testing.T, kinds map[string]frame.Kind) *frame.Frame {
	t.Helper()
	f, err := histories.Bikes(kinds)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func stream(t *testing.T, m loop.Model, rows *frame.Frame, from, to string) *Stream {
	t.Helper()
	var at [2]time.Time
	for i, text := range []string{from, to} {
		if text == "" {
			continue
		}
		var err error
		if at[i], err = time.Parse(time.DateOnly, text); err != nil {
			t.Fatal(err)
		}
	}
	s, err := NewStream(m.Recipe.Task, rows, at[0], at[1])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func options(m loop.Model) Options {
	return Options{Policy: "test", Model: m, Decoders: learner.Decoders()}
}

// quickly is the bikes' model file with few trees, and a release that takes days.
func quickly(t *testing.T, changes ...string) loop.Model {
	return read(t, "bike-demand/model.yaml", "", append([]string{
		"trees: 200, depth: 6", "trees: 40, depth: 5", "shadow: {for: 5d, at_least: 100}", "shadow: {for: 1d, at_least: 20}", "bake: {for: 7d}", "bake: {for: 1d}",
		"every: 28d", "every: 14d", "wait: 28d", "wait: 14d", "margin: 1.5", "margin: 0.6",
	}, changes...)...)
}

func TestARehearsalRunsTheLoopAndTellsTheSameStoryTwice(t *testing.T) {
	t.Parallel()
	m := quickly(t)
	s := stream(t, m, bikes(t, m.Recipe.Kinds()), "2012-01-01", "2012-03-15")
	rivals, err := MakeRivals(t.Context(), s, options(m))
	if err != nil {
		t.Fatal(err)
	}
	var stories [2]string
	for i := range stories {
		o := options(m)
		o.Rivals = rivals
		r, err := Run(t.Context(), s, o)
		if err != nil {
			t.Fatal(err)
		}
		check(t, r)
		r.Cost = Cost{}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		stories[i] = string(raw)
	}
	if stories[0] != stories[1] {
		t.Errorf("two stories:\n%s\n%s", stories[0], stories[1])
	}
}

// check holds what must be so of the bikes' rehearsal.
func check(t *testing.T, r Report) {
	t.Helper()
	rows := 0
	for _, s := range r.Shares {
		rows += s.Rows
	}
	if r.Unanswered != 0 || rows != r.Rows || r.Judged != r.Rows || r.Rows != 1768 {
		t.Errorf("%d rows asked, %d not answered (%s), %d by somebody, %d judged", r.Rows, r.Unanswered, r.Problem, rows, r.Judged)
	}
	d := r.Did
	if d.Trainings < 4 || d.Releases < 2 || d.Failed != 0 || d.Releases+d.Refused+d.Kept+d.Back != d.Trainings {
		t.Errorf("it did %+v", d)
		for _, e := range r.Events {
			t.Log(e.At.Format(time.DateOnly), e.Text)
		}
	}
	if want := 3 * d.Trainings; r.Cost.Fits != want { // judged, made again, released
		t.Errorf("%d fits, want %d", r.Cost.Fits, want)
	}
	names := map[string]Score{}
	for _, s := range r.Rivals {
		names[s.Name] = s
	}
	never, best := names[Never], names[Best]
	if len(r.Rivals) != 5 || never.Value <= r.Served.Value || best.Value > r.Served.Value+1e-9 {
		t.Errorf("served %+v, rivals %+v", r.Served, r.Rivals)
	}
	if len(r.Parts) != 3 || sortedKeys(r.Parts[0].Values) != "always retrained, always retrained, 84d, baseline alone, best version at each moment, never retrained, served" {
		t.Errorf("months %+v", r.Parts)
	}
	if r.Made[0].Phase != string(release.Succeeded) || r.Made[0].Cause != loop.ByFirst || r.Made[0].Rows == 0 {
		t.Errorf("the first version: %+v", r.Made[0])
	}
}

func TestPoliciesAreSweptOverTheSameRows(t *testing.T) {
	t.Parallel()
	m := quickly(t)
	passed := m
	passed.Policy.Release = "passed"
	hasty := quickly(t, "also: predictions", "also: none       ", "when: [schedule, score]", "when: [schedule]")
	s := stream(t, m, bikes(t, m.Recipe.Kinds()), "2012-01-01", "2012-02-20")
	all, err := Sweep(t.Context(), s, []Options{options(m), options(passed), options(hasty)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if len(r.Rivals) == 0 {
			t.Fatalf("nothing was answered: %s; %v", r.Problem, r.Events)
		}
		if r.Rivals[0].Value != all[0].Rivals[0].Value || r.Judged != all[0].Judged {
			t.Errorf("never retrained came to %v on %d rows, and to %v on %d", r.Rivals[0].Value, r.Judged, all[0].Rivals[0].Value, all[0].Judged)
		}
	}
	if all[1].Did.Kept != 0 || all[1].Did.Releases < all[0].Did.Releases {
		t.Errorf("released when better %+v, whenever it passed %+v", all[0].Did, all[1].Did)
	}
	if all[2].Did.Trainings != 4 {
		t.Errorf("by the schedule alone it did %+v", all[2].Did)
	}
}

func TestAnInterruptedRehearsalEndsAtOnce(t *testing.T) {
	t.Parallel()
	m := quickly(t)
	s := stream(t, m, bikes(t, m.Recipe.Kinds()), "2012-01-01", "2012-03-15")
	for what, here := range map[string]func(time.Time, string) bool{
		"in a training":     func(_ time.Time, say string) bool { return say != "" },
		"on the second day": func(at time.Time, _ string) bool { return at.After(s.From.Add(24 * time.Hour)) },
	} {
		ctx, stop := context.WithCancel(t.Context())
		o := options(m)
		o.Progress = func(at time.Time, say string) {
			if here(at, say) {
				stop()
			}
		}
		if _, err := Run(ctx, s, o); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: got %v", what, err)
		}
		stop()
	}
}

func TestWhatCannotBeRehearsedIsRefused(t *testing.T) {
	t.Parallel()
	m := quickly(t)
	rows := bikes(t, m.Recipe.Kinds())
	timeless := m.Recipe.Task
	timeless.Time = ""
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		task     dataset.Task
		rows     *frame.Frame
		from, to time.Time
		want     string
	}{
		{timeless, rows, time.Time{}, time.Time{}, "the model file does not say when a row is asked"},
		{m.Recipe.Task, rows.Slice(0, 0), time.Time{}, time.Time{}, "the history has no rows"},
		{m.Recipe.Task, rows, day("2010-01-01"), time.Time{}, "no row was asked before 2010-01-01"},
		{m.Recipe.Task, rows, day("2012-02-01"), day("2012-01-01"), "no row was asked from"},
	} {
		if _, err := NewStream(c.task, c.rows, c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) || !fault.Is(err, fault.Invalid) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	m.Recipe.Train.With = "command"
	s := stream(t, m, rows, "", "")
	if _, err := Run(t.Context(), s, options(m)); err == nil || !strings.Contains(err.Error(), "trains by a command") {
		t.Errorf("got %v", err)
	}
	if want := time.Date(2012, 1, 2, 0, 0, 0, 0, time.UTC); !s.From.Equal(want) {
		t.Errorf("it begins at %s, in the middle of the rows: %s", s.From, want)
	}
}

// late is a history of three rows a day whose labels come at another time than they are due.
func late(t *testing.T) (dataset.Task, *frame.Frame) {
	t.Helper()
	var at, due, known []int64
	var y []float64
	for i := range 30 {
		asked := begin.Add(time.Duration(i) * 8 * time.Hour)
		at, due = append(at, asked.UnixMicro()), append(due, asked.Add(72*time.Hour).UnixMicro())
		y = append(y, float64(i%2))
		if i%2 == 0 {
			known = append(known, asked.Add(96*time.Hour).UnixMicro()) // late
		} else {
			known = append(known, asked.Add(time.Hour).UnixMicro()) // early
		}
	}
	task := dataset.Task{Column: "y", Kind: dataset.Binary, Time: "at", Truth: dataset.Truth{DueAt: "due", KnownAt: "known"}}
	return task, frame.New(frame.TimeColumn("at", at), frame.TimeColumn("due", due), frame.TimeColumn("known", known), frame.NumberColumn("y", y))
}

func TestRequestsDoNotHoldWhatNobodyKnowsYet(t *testing.T) {
	t.Parallel()
	task, rows := late(t)
	s, err := NewStream(task, rows, begin.Add(48*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.requests(s.first, s.last)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.Fields() {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "at due rehearsal_row" {
		t.Errorf("a request has %s", got)
	}
	if s.first != 6 || s.Rows() != 24 {
		t.Errorf("%d rows of history, %d to serve", s.first, s.Rows())
	}
}

func TestRowsWithoutTheKeyOfTheModelFileAreNumbered(t *testing.T) {
	t.Parallel()
	task, rows := late(t)
	task.ID = "booking_id"
	s, err := NewStream(task, rows, begin.Add(48*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.requests(s.first, s.first+1)
	if err != nil {
		t.Fatal(err)
	}
	if c := f.Column("booking_id"); s.Task.ID != "booking_id" || c == nil || c.Text[0] != "7" {
		t.Errorf("the key is %q: %+v", s.Task.ID, c)
	}
}

func TestLabelsComeWhenTheyCame(t *testing.T) {
	t.Parallel()
	task, rows := late(t)
	s, err := NewStream(task, rows, begin.Add(48*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	order := s.arrivals()
	if !slices.IsSortedFunc(order, func(a, b int) int { return int(s.known[a] - s.known[b]) }) || order[0] != 7 || len(order) != 24 {
		t.Errorf("they come in the order %v", order)
	}
}

func TestRowsThatAreDueAfterTheHistoryAreNotJudged(t *testing.T) {
	t.Parallel()
	task, rows := late(t)
	s, err := NewStream(task, rows, begin.Add(48*time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	last := begin.Add(28*8*time.Hour + 96*time.Hour) // the last label that came late
	if s.horizon != last.UnixMicro() {
		t.Errorf("the history tells of %s, want %s", time.UnixMicro(s.horizon).UTC(), last)
	}
}

func TestTheWindowsOfTheRivalsAreThePolicys(t *testing.T) {
	t.Parallel()
	day := unit.Duration(24 * time.Hour)
	if got := windowsOf(nil, 28*day); len(got) != 1 || got[0].Window != 168*day {
		t.Errorf("where the policy names none: %v", got)
	}
	if got := windowsOf(dataset.TrainWindows{{}, {Window: 90 * day}}, 28*day); len(got) != 1 || got[0].Window != 90*day {
		t.Errorf("where it names one: %v", got)
	}
}
