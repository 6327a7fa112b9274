// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"flyball/event"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/job"
	"flyball/training/executor"
)

// stage is one run of a training by command and all that Commands asks about it.
type stage struct {
	executor.Executor // nil: what is not below is not asked
	run               experiment.Run
	state             executor.State // empty: forgotten
	printed           string
	files             map[string]string
	jobs              []job.Job
	canceled          []string
	tracked           experiment.Run
}

func (s *stage) Poll(context.Context, executor.Handle) (executor.Status, error) {
	if s.state == "" {
		return executor.Status{}, fault.New(fault.NotFound, "no such job")
	}
	return executor.Status{State: s.state}, nil
}

func (s *stage) Logs(_ context.Context, _ executor.Handle, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(s.printed[min(int(offset), len(s.printed)):])), nil
}

func (s *stage) Cancel(_ context.Context, h executor.Handle) error {
	s.state = executor.Canceled
	s.canceled = append(s.canceled, "command "+string(h))
	return nil
}

func (s *stage) Jobs(context.Context, string, int) ([]job.Job, error) { return s.jobs, nil }

func (s *stage) CancelJob(_ context.Context, id string, _ time.Time, rec *audit.Record, evs ...event.Event) error {
	s.canceled = append(s.canceled, "job "+id+" by "+rec.Actor+": "+evs[0].Text)
	return nil
}

func (s *stage) Track(_ context.Context, name string, r experiment.Run, files map[string][]byte) error {
	s.tracked = r
	for path, raw := range files {
		s.files[path] = name + ": " + string(raw)
	}
	return nil
}

func (s *stage) Begin(context.Context, string, experiment.Run) error { return nil }

type opened struct{ *strings.Reader }

func (opened) Close() error { return nil }

// staged is a run whose command goes on, and Commands over it.
func staged() (*stage, *Commands) {
	s := &stage{
		state: executor.Running, printed: "one\ntwo\n", files: map[string]string{},
		jobs: []job.Job{{ID: "other", Key: "churn/2", State: job.Running}, {ID: "this", Key: "churn/1", State: job.Running, Input: json.RawMessage(`{}`)}},
	}
	s.run = experiment.Run{ID: RunOf("churn/1"), Tags: []experiment.Tag{{Key: JobTag, Value: "h1"}, {Key: modelTag, Value: "churn"}}}
	return s, &Commands{
		Executor: s, Jobs: s, Tracker: s, Now: func() time.Time { return time.UnixMilli(5) },
		Find: func(context.Context, string) (experiment.Run, error) { return s.run, nil },
		Open: func(_ context.Context, _ experiment.Run, path string) (io.ReadSeekCloser, error) {
			f, ok := s.files[path]
			if !ok {
				return nil, fault.New(fault.NotFound, "no such file")
			}
			return opened{strings.NewReader(f)}, nil
		},
	}
}

func TestALogIsReadFromItsCommandWhileItGoesOnAndFromTheRunsFilesAfterwards(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*stage)
		offset int64
		want   string
		going  bool
	}{
		"from the start":            {func(*stage) {}, 0, "one\ntwo\n", true},
		"from an offset":            {func(*stage) {}, 4, "two\n", true},
		"at its end":                {func(*stage) {}, 8, "", true},
		"the command has ended":     {func(s *stage) { s.state = executor.Succeeded }, 4, "two\n", false},
		"the training has ended":    {func(s *stage) { s.state, s.files["logs/fit-1.log"] = "", "one\ntwo\n" }, 4, "two\n", false},
		"with two runs of it":       {func(s *stage) { s.state = ""; maps.Copy(s.files, twoLogs()) }, 0, "one\ntwo\n", false},
		"into the second of two":    {func(s *stage) { s.state = ""; maps.Copy(s.files, twoLogs()) }, 5, "wo\n", false},
		"after the end of the last": {func(s *stage) { s.state = ""; maps.Copy(s.files, twoLogs()) }, 99, "", false},
	} {
		s, commands := staged()
		c.change(s)
		log, going, err := commands.Logs(t.Context(), "r", c.offset)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(log)
		if err != nil || string(got) != c.want || going != c.going || log.Close() != nil {
			t.Errorf("%s: got %q, going %v, %v; want %q, %v", name, got, going, err, c.want, c.going)
		}
	}
}

func twoLogs() map[string]string {
	return map[string]string{"logs/fit-1.log": "one\n", "logs/fit-2.log": "two\n"}
}

func TestARunWithoutALogSaysWhy(t *testing.T) {
	s, commands := staged()
	s.state = ""
	for _, c := range []struct {
		change func()
		want   string
	}{
		{func() {}, "the log of its command is not kept"},
		{func() { commands.Executor = nil }, "was started without --executor"},
		{func() { s.run.Tags = nil }, "its training is no command"},
	} {
		c.change()
		_, _, err := commands.Logs(t.Context(), "r", 0)
		if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, _, err := commands.Logs(t.Context(), "r", -1); !fault.Is(err, fault.Invalid) {
		t.Errorf("an offset before the log: %v", err)
	}
}

func TestACancelEndsTheJobThenTheCommandAndKeepsItsLog(t *testing.T) {
	s, commands := staged()
	if _, err := commands.Cancel(t.Context(), "r", "ana", "wrong file"); err != nil {
		t.Fatal(err)
	}
	want := "job this by ana: ana asks: cancel the training: wrong file; command h1"
	if got := strings.Join(s.canceled, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if s.tracked.ID != RunOf("churn/1") || s.tracked.Status != experiment.Killed || s.tracked.End != 5 || s.files["logs/fit-1.log"] != "churn: one\ntwo\n" {
		t.Errorf("the run ended as %+v with %v", s.tracked, s.files)
	}
	if _, err := commands.Cancel(t.Context(), "r", "ana", ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second time: %v", err)
	}
}

func TestACancelEndsTheTrainingOfALaterRunOfItsCommandToo(t *testing.T) {
	s, commands := staged()
	whole, part := s.run, s.run
	part.ID, part.Name, part.Tags = RunOf("churn/1/fit/2"), "fit 2", append([]experiment.Tag{{Key: parentTag, Value: string(whole.ID)}}, whole.Tags...)
	commands.Find = func(_ context.Context, ref string) (experiment.Run, error) {
		if ident.RunID(ref) == whole.ID {
			return whole, nil
		}
		return part, nil
	}
	if _, err := commands.Cancel(t.Context(), "r", "ana", ""); err != nil {
		t.Fatal(err)
	}
	if len(s.canceled) != 2 || s.tracked.ID != whole.ID || s.files["logs/fit-2.log"] != "churn: one\ntwo\n" {
		t.Errorf("canceled %v, then %s with %v", s.canceled, s.tracked.ID, s.files)
	}
}

func TestWhatIsNoCommandOrHasEndedCannotBeCanceled(t *testing.T) {
	for kind, change := range map[fault.Kind]func(*stage, *Commands){
		fault.NotFound: func(s *stage, _ *Commands) { s.run.Tags = nil },
		fault.Conflict: func(s *stage, _ *Commands) { s.state = executor.Failed },
		fault.Refused:  func(_ *stage, c *Commands) { c.Executor = nil },
	} {
		s, commands := staged()
		change(s, commands)
		if _, err := commands.Cancel(t.Context(), "r", "ana", ""); !fault.Is(err, kind) {
			t.Errorf("got %v, want %v", err, kind)
		}
		if len(s.canceled) != 0 {
			t.Errorf("canceled %v", s.canceled)
		}
	}
}

func TestAJobSaysWhatItsCommandWaitsFor(t *testing.T) {
	for _, c := range []struct {
		seen executor.Status
		err  error
		want string
	}{
		{executor.Status{State: executor.Pending}, nil, "the command waits (2)"},
		{executor.Status{State: executor.Pending, Reason: "Resources"}, nil, "the command waits (2): Resources"},
		{executor.Status{State: executor.Running, Usage: executor.Usage{Seconds: 61.2}}, nil, "the command runs (2), for 1m1s"},
		{executor.Status{}, fault.New(fault.Unavailable, "Slurm does not answer"), "nobody tells of the command (2): Slurm does not answer"},
	} {
		if got := underWay(2, c.seen, c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
