// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"flyball/event"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/job"
	"flyball/training/executor"
)

// Jobs is what Commands needs of the queue. Package store implements it.
type Jobs interface {
	Jobs(ctx context.Context, model string, limit int) ([]job.Job, error)
	CancelJob(ctx context.Context, id string, now time.Time, rec *audit.Record, evs ...event.Event) error
}

// Commands looks at the commands of trainings from outside, and ends them. All but
// Executor are needed. Its methods may be called at once.
type Commands struct {
	Executor executor.Executor // nil: only logs of commands that ended are there
	Jobs     Jobs
	Tracker  Tracker
	Now      func() time.Time

	// Find is the run that a reference names; a NotFound fault when there is none.
	Find func(ctx context.Context, ref string) (experiment.Run, error)

	// Open opens the file of a run by its path below the run's artifacts; a NotFound
	// fault when there is none.
	Open func(ctx context.Context, r experiment.Run, path string) (io.ReadSeekCloser, error)
}

// canceling bounds how long a cancel waits for the processes of a command.
const canceling = 30 * time.Second

// Logs is what the command of a run printed, from byte offset on. going says that more
// may come: false was found before the log was opened, so then it is whole. The log of a
// command that ended is its end, at most 8 MiB; of a training with several they follow
// each other. A run without a log is a NotFound fault that says why.
func (c *Commands) Logs(ctx context.Context, ref string, offset int64) (log io.ReadCloser, going bool, err error) {
	if offset < 0 {
		return nil, false, fault.New(fault.Invalid, "a log has no byte %d", offset)
	}
	run, err := c.Find(ctx, ref)
	if err != nil {
		return nil, false, err
	}
	if h := handleOf(run); h != "" && c.Executor != nil && tagOf(run, EndedTag) == "" {
		log, going, err = c.live(ctx, h, offset)
		if !fault.Is(err, fault.NotFound) {
			return log, going, err
		}
		if run, err = c.Find(ctx, string(run.ID)); err != nil { // it ended meanwhile
			return nil, false, err
		}
	}
	log, err = c.kept(ctx, run, offset)
	return log, false, err
}

// live is the log of a command that its executor still knows.
func (c *Commands) live(ctx context.Context, h executor.Handle, offset int64) (io.ReadCloser, bool, error) {
	s, err := c.Executor.Poll(ctx, h)
	if err != nil {
		return nil, false, err
	}
	log, err := c.Executor.Logs(ctx, h, offset)
	return log, !s.State.Final(), err
}

// kept is the logs among the files of a run.
func (c *Commands) kept(ctx context.Context, run experiment.Run, offset int64) (io.ReadCloser, error) {
	first, last := 1, 1<<20
	if parent := tagOf(run, parentTag); parent != "" { // the logs of all runs of a training are with its own
		if _, err := fmt.Sscanf(run.Name, "fit %d", &first); err == nil {
			found, err := c.Find(ctx, parent)
			if err != nil {
				return nil, err
			}
			run.Location, last = found.Location, first
		}
	}
	all := &logs{}
	for n := first; n <= last; n++ {
		f, err := c.Open(ctx, run, LogFile(n))
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all.files = append(all.files, f)
		size, err := f.Seek(0, io.SeekEnd)
		if err == nil {
			_, err = f.Seek(min(offset, size), io.SeekStart)
		}
		if err != nil {
			return nil, errors.Join(fault.Wrap(err, fault.Unavailable, "the log of the run cannot be read"), all.Close())
		}
		offset -= min(offset, size)
	}
	if len(all.files) > 0 {
		return all, nil
	}
	why := "its training is no command"
	switch {
	case handleOf(run) != "" && c.Executor == nil:
		why = "its command did not end, and this server was started without --executor"
	case handleOf(run) != "":
		why = "the log of its command is not kept"
	}
	return nil, fault.New(fault.NotFound, "run %s has no log: %s", run.ID, why).Do("see flyball runs show %s", run.ID)
}

// logs are files that follow each other.
type logs struct {
	files []io.ReadSeekCloser
	at    int
}

// Read reads on.
func (l *logs) Read(p []byte) (int, error) {
	for l.at < len(l.files) {
		n, err := l.files[l.at].Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		l.at++
	}
	return 0, io.EOF
}

// Close closes all of them.
func (l *logs) Close() error {
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Cancel ends the command of a run that goes on, with all its processes, and the training
// that waits for it: the loop does not try it again by itself. One that has ended is a
// Conflict fault, and a run without a command a NotFound fault.
func (c *Commands) Cancel(ctx context.Context, ref, by, why string) (string, error) {
	run, err := c.Find(ctx, ref)
	if err != nil {
		return "", err
	}
	h := handleOf(run)
	if h == "" {
		return "", fault.New(fault.NotFound, "run %s has no command that could be canceled", run.ID)
	}
	ended := fault.New(fault.Conflict, "run %s has ended already", run.ID)
	if tagOf(run, EndedTag) != "" {
		return "", ended
	}
	if c.Executor == nil {
		return "", fault.New(fault.Refused, "this server runs no commands").Do("start it with flyball serve --executor local")
	}
	switch s, err := c.Executor.Poll(ctx, h); {
	case fault.Is(err, fault.NotFound) || err == nil && s.State.Final():
		return "", ended
	case err != nil:
		return "", err
	}
	if err := c.cancelJob(ctx, run, by, why); err != nil {
		return "", err
	}
	within, stop := context.WithTimeout(context.WithoutCancel(ctx), canceling) // the job is canceled: the command must not stay
	defer stop()
	if err := c.Executor.Cancel(within, h); err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	return "the command of run " + string(run.ID) + " is canceled, and its training", c.end(within, run, h, by, why)
}

// cancelJob cancels the job of the run's training, so that nobody takes it up again.
func (c *Commands) cancelJob(ctx context.Context, run experiment.Run, by, why string) error {
	model, id := tagOf(run, modelTag), run.ID
	if parent := tagOf(run, parentTag); parent != "" {
		id = ident.RunID(parent)
	}
	jobs, err := c.Jobs.Jobs(ctx, model, 1000)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s asks: cancel the training", by)
	if why != "" {
		text += ": " + why
	}
	now := c.Now()
	for _, j := range jobs {
		if RunOf(j.Key) != id || j.State != job.Queued && j.State != job.Running {
			continue
		}
		rec := audit.Record{At: now, Actor: by, Action: "cancel", Object: model, Why: why}
		return c.Jobs.CancelJob(ctx, j.ID, now, &rec, event.Event{
			At: now, Model: model, By: by, Mark: event.Off, Kind: "cancel", Text: text, Command: "flyball runs show " + string(id),
		})
	}
	return nil // its worker is gone, or about to be
}

// end shows the run as ended, with its log: the worker may have lost its job before it
// could. One that it ended is left as it is.
func (c *Commands) end(ctx context.Context, run experiment.Run, h executor.Handle, by, why string) error {
	w := &work{Trainer: &Trainer{Executor: c.Executor}}
	log, err := w.tail(ctx, h)
	if fault.Is(err, fault.NotFound) { // the worker was here, and forgot it
		return nil
	}
	if err != nil {
		return err
	}
	model, said := tagOf(run, modelTag), "canceled by "+by
	if why != "" {
		said += ": " + why
	}
	end := func(run experiment.Run, files map[string][]byte) error {
		run.Status, run.End = experiment.Killed, c.Now().UnixMilli()
		run.Metrics, run.Params, run.Inputs = nil, nil, nil
		run.Tags = []experiment.Tag{{Key: "flyball.error", Value: said}}
		return c.Tracker.Track(ctx, model, run, files)
	}
	parent := tagOf(run, parentTag)
	if parent == "" {
		return end(run, map[string][]byte{LogFile(1): log})
	}
	number := 1
	if _, err := fmt.Sscanf(run.Name, "fit %d", &number); err != nil {
		number = 1
	}
	whole, err := c.Find(ctx, parent)
	if err != nil {
		return err
	}
	return errors.Join(end(run, nil), end(whole, map[string][]byte{LogFile(number): log}))
}

// EndedTag is the tag of a run that the server itself ended.
const EndedTag = "flyball.ended"

// The tags by which a run is told.
const (
	modelTag  = "flyball.model"
	parentTag = "mlflow.parentRunId"
)

func handleOf(r experiment.Run) executor.Handle { return executor.Handle(tagOf(r, JobTag)) }

func tagOf(r experiment.Run, key string) string {
	for _, t := range r.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}
