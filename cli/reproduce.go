// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/control"
	"flyball/fault"
	"flyball/ident"
	"flyball/job"
	"flyball/model/formats"
	"flyball/model/worker"
	"flyball/training"
	"flyball/training/environment"
	"flyball/training/executor/local"
)

func reproduceCommand(e *env) *cobra.Command {
	var o again
	c := &cobra.Command{
		Use: "reproduce MODEL@VERSION | --from FILE", Short: "Make a version again and compare (exit 3: another)", Args: cobra.MaximumNArgs(1),
		Long: "Makes a version again from its record alone, and says how equal it came out: R3 every byte,\n" +
			"R2 the golden rows score the same to the last bit, R1 within the tolerance, R0 another model.\n" +
			"The server does it in a job: this waits for it, and where this is interrupted it goes on.\n" +
			"With --from, from an archive of flyball export, on this machine, in a folder that is empty\n" +
			"and removed afterwards; no server is asked.",
		Example: "  flyball reproduce hotel-cancel@7\n  flyball reproduce hotel-cancel@7 --no-wait\n  flyball reproduce hotel-cancel@7 --last -o json\n" +
			"  flyball export hotel-cancel@7 v7.tar && flyball reproduce --from v7.tar",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (o.from == "") == (len(args) == 0) {
				return fault.New(fault.Invalid, "name a version, or an archive by --from, and not both")
			}
			if o.from != "" {
				got, err := e.reproduceFrom(cmd.Context(), o.from, o.executor, o.python)
				if err != nil {
					return err
				}
				return e.showReproduced(got)
			}
			name, err := e.numbered(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.reproduce(cmd.Context(), name, o)
		},
	}
	c.Flags().BoolVar(&o.noWait, "no-wait", false, "do not wait for what comes of it")
	c.Flags().BoolVar(&o.last, "last", false, "show what came of it last, and make nothing")
	c.Flags().BoolVar(&o.cancel, "cancel", false, "end the job that makes it again")
	c.Flags().StringVar(&o.why, "why", "", "with --cancel: the reason, for the record")
	c.Flags().StringVar(&o.from, "from", "", "an archive that flyball export wrote")
	c.Flags().StringVar(&o.executor, "executor", "", "with --from: run the program of a version that was trained by a command: local")
	c.Flags().StringVar(&o.python, "python", "", "with --from: the interpreter for the program, and for models that only Python scores (default: that of the recorded environment, made by uv)")
	c.MarkFlagsMutuallyExclusive("no-wait", "last", "cancel", "from")
	return c
}

// again is how a version is made again.
type again struct {
	noWait, last, cancel        bool
	why, from, executor, python string
}

// reproduce has the server make a version again, and waits for what comes of it.
func (e *env) reproduce(ctx context.Context, name ident.Name, o again) error {
	switch {
	case o.last:
		return e.lastReproduced(ctx, name)
	case o.cancel:
		got, err := e.client().CancelReproduction(ctx, name.Model, name.Version, o.why)
		if err == nil {
			_, err = fmt.Fprintln(e.out, got.Text)
		}
		return err
	}
	got, err := e.client().Reproduce(ctx, name.Model, name.Version)
	if err != nil {
		return err
	}
	look := fmt.Sprintf("flyball reproduce %s@%d --last", name.Model, name.Version)
	if o.noWait {
		_, err = fmt.Fprintf(e.out, "%s; see what comes of it with %s\n", got.Text, look)
		return err
	}
	tell := e.progress()
	j, err := e.client().Await(ctx, got.Job, tell)
	tell("")
	switch {
	case err != nil:
		e.say("it goes on: see what comes of it with %s", look)
		return err
	case j.State != job.Done:
		return fault.New(fault.Invalid, "%s@%d was not made again: %s", name.Model, name.Version, cmp.Or(j.Error, string(j.State)))
	}
	return e.showReport(j.Result)
}

// lastReproduced shows what came of it when a version was made again last, and says where
// one stands that is under way.
func (e *env) lastReproduced(ctx context.Context, name ident.Name) error {
	jobs, err := e.client().Jobs(ctx, name.Model)
	if err != nil {
		return err
	}
	going := false
	for _, j := range jobs {
		var of struct{ Version int }
		if j.Kind != control.ReproduceKind || json.Unmarshal(j.Input, &of) != nil || of.Version != name.Version {
			continue
		}
		if going = j.State == job.Queued || j.State == job.Running; going {
			e.say("it is made again now: %s", cmp.Or(j.Progress, string(j.State)))
		} else if j.State != job.Done {
			e.say("it was not made again: %s", cmp.Or(j.Error, string(j.State)))
		}
		break // the newest
	}
	all, err := e.client().Reproductions(ctx, name.Model, name.Version)
	switch {
	case err != nil:
		return err
	case len(all) > 0:
		return e.showReport(all[0].Report)
	case going:
		return errGoing
	}
	return fault.New(fault.NotFound, "%s@%d was never made again", name.Model, name.Version).Do("leave --last out")
}

// showReport shows what came of a reproduction on the server.
func (e *env) showReport(report json.RawMessage) error {
	var got wire.Reproduced
	if err := json.Unmarshal(report, &got); err != nil {
		return fault.Wrap(err, fault.Internal, "what came of it cannot be read")
	}
	return e.showReproduced(got)
}

// numbered is a reference with its number: that of an alias (live, if none is named) is
// asked for.
func (e *env) numbered(ctx context.Context, text string) (ident.Name, error) {
	name, err := ident.ParseName(text)
	if err != nil || name.Version != 0 {
		return name, err
	}
	st, err := e.client().Status(ctx, name.Model)
	if err != nil {
		return name, err
	}
	if name.Version = st.Aliases[name.Alias]; name.Version == 0 {
		return name, fault.New(fault.NotFound, "%s has no version that is %s", name.Model, name.Alias)
	}
	return name, nil
}

// reproduceFrom makes the version of an archive again in a folder of its own.
func (e *env) reproduceFrom(ctx context.Context, file, executor, python string) (_ wire.Reproduced, err error) {
	in, err := os.Open(file)
	if err != nil {
		return wire.Reproduced{}, fault.Wrap(err, fault.NotFound, "%s cannot be read", file)
	}
	defer in.Close()
	dir, err := os.MkdirTemp("", "flyball-reproduce-")
	if err != nil {
		return wire.Reproduced{}, fault.Wrap(err, fault.Unavailable, "there is no room to make it again")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	blobs, err := blob.OpenDir(filepath.Join(dir, "blobs"))
	if err != nil {
		return wire.Reproduced{}, err
	}
	defer blobs.Close()
	v, err := training.ReadTar(ctx, in, blobs)
	if err != nil {
		return wire.Reproduced{}, fmt.Errorf("%s: %w", file, err)
	}
	t := &training.Trainer{Blobs: blobs, Decoders: formats.Decoders(nil), Logger: slog.New(slog.DiscardHandler)}
	switch executor {
	case "":
	case "local":
		if python, err = e.allowPrograms(ctx, t, v.Record, dir, python); err != nil {
			return wire.Reproduced{}, err
		}
	default:
		return wire.Reproduced{}, fault.New(fault.Invalid, "%q is no executor of this version", executor).Do("write --executor local")
	}
	if python != "" {
		o := worker.Options{Python: python, Dir: filepath.Join(dir, "python"), Logger: t.Logger}
		if python == "uv" { // an environment for each list of requirements
			o.Python = ""
		}
		host := worker.New(o)
		defer func() { err = errors.Join(err, host.Close()) }()
		t.Decoders = formats.Decoders(host)
	}
	tell := e.progress()
	got, err := t.Reproduce(ctx, v, tell)
	tell("")
	if fault.Is(err, fault.Refused) && executor == "" && usesCommand(ctx, blobs, v.Record) {
		err = fault.New(fault.Refused, "%s was trained by a program, which the archive holds", v.Ref).Do("to run it here, add --executor local")
	}
	if err != nil {
		return wire.Reproduced{}, err
	}
	return control.ReproducedOf(v.Ref, got), nil
}

// allowPrograms has the trainer run a version's command, in the interpreter that is named
// or else in the Python environment of the record. It returns the interpreter that may
// score, too: the one that is named, or else the command's.
func (e *env) allowPrograms(ctx context.Context, t *training.Trainer, record blob.Digest, dir, python string) (string, error) {
	o := local.Options{Dir: filepath.Join(dir, "work")}
	t.Environment = (&environment.Maker{Dir: filepath.Join(dir, "environments")}).Make
	if python != "" && python != "uv" {
		path, err := exec.LookPath(python)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return "", fault.Wrap(err, fault.NotFound, "the interpreter %s cannot be run", python)
		}
		o.Path = []string{filepath.Dir(path)}
		t.Environment = func(context.Context, environment.Need) (string, error) { return path, nil }
	}
	here, err := local.New(o)
	if err != nil {
		return "", err
	}
	t.Executor = here
	raw, err := blob.ReadAll(ctx, t.Blobs, record, 64<<20)
	if err != nil {
		return "", err
	}
	lock, err := training.RecordedLock(ctx, t.Blobs, raw)
	if err != nil || lock == nil || python != "" {
		return python, err
	}
	tell := e.progress()
	tell("making the recorded Python environment")
	made, err := t.Interpreter(ctx, lock, "python")
	tell("")
	if ctx.Err() != nil {
		return "", err
	}
	return made, nil // the training tells why there is none
}

// usesCommand reports whether a record is that of a training by a command.
func usesCommand(ctx context.Context, blobs blob.Store, record blob.Digest) bool {
	raw, err := blob.ReadAll(ctx, blobs, record, 64<<20)
	if err != nil {
		return false
	}
	r, _, err := training.Recorded(raw)
	return err == nil && r.Recipe.Train.With == training.Command
}

func (e *env) showReproduced(got wire.Reproduced) error {
	t := table{head: []string{"part", "what", "equal", "recorded", "again"}, short: 3}
	for _, c := range got.Table {
		t.add(c.Part, c.What, map[bool]string{true: "yes", false: "no"}[c.Equal], c.Recorded, c.Again)
	}
	if e.format == "table" || e.format == "wide" {
		fmt.Fprintf(e.out, "%s: %s, %s expected; %.1f s\n", got.Ref, got.Words(), got.Expected, got.Seconds)
		for _, c := range got.Table {
			if c.Part == "machine" && !c.Equal {
				fmt.Fprintf(e.out, "another %s: was %s, is %s\n", c.What, dash(c.Recorded), dash(c.Again))
			}
		}
	}
	if err := e.show(got, t); err != nil {
		return err
	}
	if got.Grade < got.Expected || got.Grade == training.R0 {
		return errNo
	}
	return nil
}

// exportVersion writes a version as one archive into a file that is not there yet; one
// that fails leaves none.
func (e *env) exportVersion(ctx context.Context, ref, file string, digests bool) (err error) {
	name, err := e.numbered(ctx, ref)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // it holds rows
	if errors.Is(err, os.ErrExist) {
		return fault.New(fault.Conflict, "%s is there already", file).Do("name another file, or remove it")
	}
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "%s cannot be written", file)
	}
	err = e.client().ExportVersion(ctx, name.Model, name.Version, digests, out)
	if err == nil {
		err = out.Sync()
	}
	n, _ := out.Seek(0, io.SeekCurrent) // of a file that was written
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	e.say("%s@%d in %s, %.1f MB", name.Model, name.Version, file, float64(n)/1e6)
	return nil
}

// importVersion brings the version of an archive in.
func (e *env) importVersion(ctx context.Context, file string) error {
	in, err := os.Open(file)
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "%s cannot be read", file)
	}
	defer in.Close()
	got, err := e.client().ImportVersion(ctx, in)
	if err != nil {
		return err
	}
	word := map[bool]string{true: "brought in", false: "here already"}[got.Added]
	if got.Missing > 0 {
		e.say("its data was left out (%d files): it can be served, and not made again here", got.Missing)
	}
	t := table{head: []string{"version", "from", "done"}, short: 3}
	t.add(got.Ref, got.From, word)
	return e.show(got, t)
}
