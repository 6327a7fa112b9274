// SPDX-License-Identifier: Apache-2.0

// Package slurm asks Slurm to run jobs, by its own programs: sbatch, squeue and scancel,
// which must be installed where the server runs and find their configuration as always.
// It is tested with Slurm 22.05. It knows no job but by its name and the comment that it
// set: Slurm gives the number of a job that it lost to the next one.
package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
	"flyball/training/executor/cluster"
)

// Options are what an Engine is made of. All may be zero.
type Options struct {
	Partition string   // where a job names no queue; empty: Slurm's default
	Account   string   // empty: the user's default
	More      []string // options of sbatch, behind ours, such as --qos=short
	Setup     string   // lines of the shell that run on the node before, such as module load
	Bin       string   // folder of Slurm's programs; empty: they are looked for in PATH
	Logger    *slog.Logger
}

// Engine is a cluster.Engine.
type Engine struct{ opts Options }

// New makes an Engine. It asks nothing.
func New(o Options) *Engine {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{opts: o}
}

// deadline of a call of a program.
const deadline = 10 * time.Second

// mark begins the comment of our jobs.
const mark = "flyball:"

// Start submits a batch script, unless there is a job of the name. The script comes by
// standard input: Slurm keeps it, and the environment, for the user and root alone, and
// neither is in any command line nor in what scontrol shows.
func (e *Engine) Start(ctx context.Context, s cluster.Spec) (cluster.Ref, error) {
	ref := cluster.Ref{Name: s.Name}
	args, err := e.arguments(s)
	if err != nil {
		return ref, err
	}
	known, err := e.queue(ctx, []string{s.Name})
	if err != nil {
		return ref, err
	}
	if len(known) > 0 {
		if ref.ID = known[0].id; known[0].comment != mark+s.Digest {
			return ref, fault.New(fault.Conflict, "Slurm has another job %s: %s", s.Name, ref.ID)
		}
		return ref, nil
	}
	out, err := e.run(ctx, e.script(s), "sbatch", args...)
	if err != nil {
		return ref, err
	}
	ref.ID, _, _ = strings.Cut(strings.TrimSpace(out), ";") // the name of the cluster follows
	if _, err := strconv.ParseUint(ref.ID, 10, 64); err != nil {
		return ref, fault.New(fault.Unavailable, "sbatch answered %q, which is no number of a job", strings.TrimSpace(out))
	}
	return ref, nil
}

// arguments are those of sbatch.
func (e *Engine) arguments(s cluster.Spec) ([]string, error) {
	r := s.Resources
	if r.Image != "" {
		return nil, fault.New(fault.Invalid, "the job asks for the image %s, and Slurm runs programs as they are on its nodes", r.Image).
			Do("leave train.limits.image out, or name another executor")
	}
	args := []string{
		"--parsable", "--no-requeue", "--export=ALL", "--job-name=" + s.Name, "--comment=" + mark + s.Digest,
		"--nodes=1", "--ntasks=1", "--chdir=/tmp", "--output=/dev/null", "--input=/dev/null", fmt.Sprintf("--cpus-per-task=%d", max(1, r.CPUs)),
	}
	if r.Memory > 0 {
		args = append(args, fmt.Sprintf("--mem=%dM", (int64(r.Memory)+(1<<20)-1)>>20))
	}
	if r.GPUs > 0 {
		args = append(args, fmt.Sprintf("--gres=gpu:%d", r.GPUs))
	}
	if s.Time > 0 {
		args = append(args, fmt.Sprintf("--time=%d", int64(math.Ceil(s.Time.D().Minutes()))))
	}
	if r.Tasks > 0 {
		args = append(args, fmt.Sprintf("--array=0-%d", r.Tasks-1))
	}
	if p := r.Queue; p != "" {
		args = append(args, "--partition="+p)
	} else if e.opts.Partition != "" {
		args = append(args, "--partition="+e.opts.Partition)
	}
	if e.opts.Account != "" {
		args = append(args, "--account="+e.opts.Account)
	}
	return append(args, e.opts.More...), nil
}

// script is what a node runs.
func (e *Engine) script(s cluster.Spec) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	if e.opts.Setup != "" {
		b.WriteString(strings.TrimSuffix(e.opts.Setup, "\n") + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quoted(s.Env[name]))
	}
	if s.Resources.Tasks > 0 {
		b.WriteString("export FLYBALL_TASK=\"$SLURM_ARRAY_TASK_ID\"\n")
	}
	b.WriteString("exec")
	for _, word := range s.Command {
		b.WriteString(" " + quoted(word))
	}
	b.WriteString("\n")
	return b.String()
}

// quoted is a text as one word of the shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Look asks squeue once for all jobs. One of our names that is not ours, by its number or
// its comment, is not known.
func (e *Engine) Look(ctx context.Context, refs []cluster.Ref) (map[string]cluster.Seen, error) {
	out := map[string]cluster.Seen{}
	if len(refs) == 0 {
		return out, nil
	}
	ids, names := map[string]string{}, make([]string, len(refs))
	for i, r := range refs {
		ids[r.Name], names[i] = r.ID, r.Name
	}
	lines, err := e.queue(ctx, names)
	if err != nil {
		return nil, err
	}
	tasks := map[string][]line{}
	for _, l := range lines {
		if l.id == ids[l.name] && strings.HasPrefix(l.comment, mark) {
			tasks[l.name] = append(tasks[l.name], l)
		}
	}
	for name, ls := range tasks {
		out[name] = together(ls)
	}
	return out, nil
}

// Stop ends the job, or all jobs of its array, when it is ours still.
func (e *Engine) Stop(ctx context.Context, r cluster.Ref) error {
	lines, err := e.queue(ctx, []string{r.Name})
	if err != nil || !slices.ContainsFunc(lines, func(l line) bool { return l.id == r.ID }) {
		return err
	}
	_, err = e.run(ctx, "", "scancel", "--name="+r.Name, r.ID)
	if err != nil && strings.Contains(err.Error(), "Invalid job id") { // it has ended
		return nil
	}
	return err
}

// Clean does nothing: Slurm forgets an ended job soon.
func (e *Engine) Clean(context.Context, cluster.Ref) error { return nil }

// queue is what squeue says of jobs by their names.
func (e *Engine) queue(ctx context.Context, names []string) ([]line, error) {
	out, err := e.run(ctx, "", "squeue", "--noheader", "--array", "--states=all", "--name="+strings.Join(names, ","), "--Format="+format)
	if err != nil {
		return nil, err
	}
	return parse(out)
}

// run runs one of Slurm's programs with little of our environment: sbatch hands all of its
// own to the job.
func (e *Engine) run(ctx context.Context, stdin, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if e.opts.Bin != "" {
		program = e.opts.Bin + "/" + program
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = environ()
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	text := strings.TrimSpace(said.String())
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fault.New(fault.Unavailable, "%s did not answer within %s%s", program, deadline, behind(text))
	case errors.Is(err, exec.ErrNotFound):
		return "", fault.Wrap(err, fault.Unavailable, "Slurm cannot be asked: there is no program %s here", program)
	case refused(text):
		return "", fault.New(fault.Invalid, "Slurm refuses the job%s", behind(text)).Do("change train.limits, or the server's file of executors")
	}
	return "", fault.Wrap(err, fault.Unavailable, "%s failed%s", program, behind(text))
}

func behind(text string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\n", "; "), "sbatch: error: ", "")
	return ": " + text[:min(len(text), 500)]
}

// refused reports whether what sbatch said means that the same again fails again. All
// else, such as a controller that does not answer, may pass.
func refused(said string) bool {
	for _, never := range []string{
		"Invalid partition", "Invalid account", "Invalid qos", "Invalid generic resource", "Invalid feature", "Invalid job array", "Invalid wckey",
		"Requested node configuration is not available", "Memory specification", "Memory required by task is not available", "Requested time limit is invalid", "violates accounting/QOS policy",
		"More processors requested than permitted", "Access/permission denied", "User's group not permitted", "Batch script is empty", "unrecognized option", "invalid option", "Invalid --", "Invalid time limit",
	} {
		if strings.Contains(said, never) {
			return true
		}
	}
	return false
}

// environ is what Slurm's programs get, and so the job: where the configuration is, and
// what a shell needs.
func environ() []string {
	env := []string{"PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"HOME", "USER", "LOGNAME", "LANG", "TZ", "SLURM_CONF", "SLURM_JWT"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}
