// SPDX-License-Identifier: Apache-2.0

// Package node is the side of a cluster's executor that runs on a node: it enters the
// attempt that its environment names, fetches the inputs, has the program run under the
// supervisor of package local, in this process, and sends what it printed and made. It
// outlives a server that is away for minutes, and ends the program when the server says
// that the attempt is over. It decides nothing: the server does.
package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"flyball/fault"
	"flyball/training/executor"
	"flyball/training/executor/cluster"
	"flyball/training/executor/local"
)

// Options say which attempt it is. All but Dir and Logger are needed.
type Options struct {
	URL, Attempt, Token string
	Dir                 string // where its folder is made; empty: the system's for temporary files
	Logger              *slog.Logger
}

// FromEnvironment are the Options that an engine's job was given.
func FromEnvironment(l *slog.Logger) (Options, error) {
	o := Options{URL: os.Getenv(cluster.URLVariable), Attempt: os.Getenv(cluster.IDVariable), Token: os.Getenv(cluster.TokenVariable), Logger: l}
	for _, name := range []string{cluster.URLVariable, cluster.IDVariable, cluster.TokenVariable} {
		if os.Getenv(name) == "" {
			return o, fault.New(fault.Invalid, "the variable %s is not set", name).Do("leave this command to the engine of a cluster")
		}
		if err := os.Unsetenv(name); err != nil { // the program does not get it
			return o, fmt.Errorf("unset %s: %w", name, err)
		}
	}
	return o, nil
}

// patience is how long a server may be away before the program begins, and after it ended.
// While it runs nobody counts.
const patience = 30 * time.Minute

// Run does the attempt, and returns when it is told. An error says that the program did
// not succeed or could not be told about; the server knows better. Only a process of its
// own may call it.
func Run(ctx context.Context, o Options) (err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &attempt{Options: o, line: newLine(o)}
	if err := a.line.keep(ctx, patience, func(ctx context.Context) error {
		w, err := a.line.enter(ctx)
		a.work = w
		return err
	}); err != nil {
		return err
	}
	o.Logger.Info("entered", "attempt", o.Attempt)
	dir, err := os.MkdirTemp(o.Dir, "flyball-attempt-*")
	if err != nil {
		return a.end(ctx, executor.Status{State: executor.Failed, Reason: fmt.Sprintf("a folder for the job cannot be made on its node: %v", err)})
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if a.local, err = local.New(local.Options{Dir: filepath.Join(dir, "work"), Logger: o.Logger, Server: o.URL}); err != nil {
		return err
	}
	return a.do(ctx, dir)
}

// attempt is one under way.
type attempt struct {
	Options
	line   *line
	work   cluster.Work
	local  *local.Executor
	handle executor.Handle
	sent   int64 // bytes of the log
}

// key is of the one job in the folder.
const key = "attempt"

func (a *attempt) do(ctx context.Context, dir string) error {
	a.handle = local.HandleOf(key)
	beating, stop := context.WithCancel(context.WithoutCancel(ctx)) // a signal is the supervisor's to hear
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { a.live(beating) })
	inputs, err := a.fetch(ctx, filepath.Join(dir, "inputs"))
	switch {
	case over(err):
		return a.away(context.WithoutCancel(ctx), err)
	case ctx.Err() != nil:
		return a.tell(context.WithoutCancel(ctx), executor.Status{State: executor.Lost, Reason: "it was told to end before its program began"})
	case err != nil:
		return a.end(ctx, executor.Status{State: executor.Failed, Reason: "the inputs cannot be fetched: " + err.Error()})
	}
	printing, enough := context.WithCancel(beating)
	var printed sync.WaitGroup
	printed.Go(func() { a.print(printing) })
	limits := a.work.Limits
	limits.GPUs, limits.Image, limits.Queue = 0, "", "" // the engine gave them
	err = a.local.Run(ctx, executor.Job{Key: key, Command: a.work.Command, Env: a.work.Env, Inputs: inputs, Limits: limits})
	enough()
	printed.Wait()
	s := executor.Status{State: executor.Failed}
	if err == nil {
		s, err = a.local.Poll(ctx, a.handle)
	}
	if err != nil {
		s = executor.Status{State: executor.Failed, Reason: err.Error(), Ended: time.Now()}
	}
	return a.tell(context.WithoutCancel(ctx), s)
}

// tell sends all that is left of the log, the outputs, and how it ended.
func (a *attempt) tell(ctx context.Context, s executor.Status) error {
	if err := a.line.keep(ctx, patience, a.rest); err != nil && !over(err) {
		return err
	}
	if s.State != executor.Succeeded && s.State != executor.Failed {
		err := a.line.keep(ctx, patience, func(ctx context.Context) error { return a.line.leave(ctx, s.Reason) })
		return errors.Join(fault.New(fault.Refused, "%s", s.Reason), err)
	}
	if s.State == executor.Succeeded {
		if err := a.send(ctx, s.Manifest); err != nil {
			if over(err) {
				return a.away(ctx, err)
			}
			s = executor.Status{State: executor.Failed, Reason: "its outputs cannot be sent: " + err.Error(), Usage: s.Usage, Began: s.Began, Ended: s.Ended}
		}
	}
	return a.end(ctx, s)
}

// end tells how the attempt ended.
func (a *attempt) end(ctx context.Context, s executor.Status) error {
	ctx = context.WithoutCancel(ctx)
	err := a.line.keep(ctx, patience, func(ctx context.Context) error { return a.line.end(ctx, s) })
	switch {
	case over(err):
		return a.away(ctx, err)
	case err != nil:
		return err
	case s.State != executor.Succeeded:
		return fault.New(fault.Refused, "%s", s.Reason)
	}
	return nil
}

// away says that nothing runs any more of an attempt that was over before.
func (a *attempt) away(ctx context.Context, why error) error {
	err := a.line.keep(ctx, time.Minute, func(ctx context.Context) error { return a.line.leave(ctx, why.Error()) })
	if over(err) {
		err = nil
	}
	return errors.Join(why, err)
}

// live tells again and again that we live, and ends the program when that is refused.
func (a *attempt) live(ctx context.Context) {
	tick := time.NewTicker(max(a.work.Beat, 10*time.Millisecond))
	defer tick.Stop()
	for {
		var u executor.Usage
		if s, err := a.local.Poll(ctx, a.handle); err == nil {
			u = s.Usage
		}
		if err := a.line.alive(ctx, u); over(err) && ctx.Err() == nil {
			a.Logger.Info("the attempt is over; its program is ended", "said", err)
			_ = a.local.Cancel(ctx, a.handle) // that there is none yet is found out by the next step
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// fetch brings the inputs into a folder, each once.
func (a *attempt) fetch(ctx context.Context, dir string) (map[string]executor.Input, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out := map[string]executor.Input{}
	for name, in := range a.work.Inputs {
		file := filepath.Join(dir, in.SHA256)
		if _, err := os.Stat(file); err != nil {
			if err := a.line.keep(ctx, patience, func(ctx context.Context) error { return a.bring(ctx, file, in) }); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		out[name] = executor.Input{Size: in.Size, Mode: in.Mode, Open: func(context.Context) (io.ReadCloser, error) { return os.Open(file) }}
	}
	return out, nil
}

// bring writes one input, whole or not at all.
func (a *attempt) bring(ctx context.Context, file string, in cluster.Laid) error {
	r, err := a.line.input(ctx, in.SHA256)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(fault.Wrap(err, fault.Internal, "an input cannot be written"), r.Close())
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), r)
	if err = errors.Join(err, r.Close(), f.Close()); err == nil && hex.EncodeToString(h.Sum(nil)) != in.SHA256 {
		err = fault.New(fault.Unavailable, "an input came damaged")
	}
	if err == nil {
		err = os.Rename(file+".part", file)
	}
	return fault.Wrap(err, fault.Unavailable, "an input cannot be brought")
}

// print sends what the program prints, as it comes.
func (a *attempt) print(ctx context.Context) {
	tick := time.NewTicker(min(max(a.work.Beat/5, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		_ = a.rest(ctx) // the next time, or tell at the end, sends what it could not
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// rest sends the log from where it was sent, to its end as it is now. A piece that was not
// answered is sent again as it was, since it may have come.
func (a *attempt) rest(ctx context.Context) error {
	buf := make([]byte, cluster.MaxLog/4)
	for {
		r, err := a.local.Logs(ctx, a.handle, a.sent)
		if fault.Is(err, fault.NotFound) {
			return nil // it did not begin
		}
		if err != nil {
			return err
		}
		n, err := io.ReadFull(r, a.line.again(buf))
		if err = errors.Join(ignored(err), r.Close()); err != nil || n == 0 {
			return err
		}
		if err := a.line.log(ctx, a.sent, buf[:n]); err != nil {
			return err
		}
		a.sent += int64(n)
	}
}

func ignored(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// send sends the outputs, each content once.
func (a *attempt) send(ctx context.Context, m *executor.Manifest) error {
	var sent []string
	for name, f := range m.Files {
		if slices.Contains(sent, f.SHA256) {
			continue
		}
		if err := a.line.keep(ctx, patience, func(ctx context.Context) error {
			r, err := a.local.Output(ctx, a.handle, name)
			if err != nil {
				return err
			}
			return errors.Join(a.line.put(ctx, f, r), r.Close())
		}); err != nil {
			return err
		}
		sent = append(sent, f.SHA256)
	}
	return nil
}

// number is a run's own.
func number() string { return rand.Text() }
