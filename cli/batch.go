// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/blob"
	"flyball/client"
	"flyball/data/dataset"
	"flyball/data/frame"
	sources "flyball/data/source"
	"flyball/data/source/remote"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/formats"
	"flyball/model/registry"
	"flyball/model/worker"
	"flyball/serving/batch"
	"flyball/spec"
)

// batchFlags are what predict is told to score files.
type batchFlags struct {
	in, keep []string
	out      string
	replace  bool
	explain  bool
	python   string
	workers  int
	shard    string
}

func (b *batchFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&b.in, "in", nil, "score files: .csv (also .gz, .zip), .parquet, or a pattern in quotes, here or as s3://bucket/… (may be repeated)")
	f.StringVar(&b.out, "out", "", "where the scores of --in go: a .parquet or .csv file, or a folder with a slash at its end")
	f.StringSliceVar(&b.keep, "keep", nil, "columns of --in that are carried along; else the id and time of the model file")
	f.BoolVar(&b.replace, "replace", false, "write over --out, and over what another run has begun")
	f.BoolVar(&b.explain, "explain", false, "with --in, add what each column contributed (docs/explain.md)")
	f.StringVar(&b.python, "python", "", "with --in, score a model that needs Python by this interpreter, or by an environment that uv makes: \"uv\"; its code then runs here")
	f.StringVar(&b.shard, "shard", "", "score one part of the files, such as 3/50, for the tasks of an array: the first is 0/50 (docs/serving.md)")
	f.IntVar(&b.workers, "workers", 0, "how many score at once (default one per processor)")
}

// host runs models that need Python; nil where nobody allowed it.
func (b *batchFlags) host() (*worker.Host, error) {
	if b.python == "" {
		return nil, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "there is no folder for Python's environments")
	}
	o := worker.Options{Dir: filepath.Join(dir, "flyball", "workers"), Logger: slog.New(slog.DiscardHandler)}
	if b.python != "uv" {
		o.Python = b.python
	}
	return worker.New(o), nil
}

// score scores files here, with the version's bundle from the server.
func (e *env) score(ctx context.Context, ref string, f batchFlags) error {
	if f.out == "" {
		return fault.New(fault.Invalid, "--in needs --out").Do("say where the scores go, such as --out scores.parquet")
	}
	name, err := ident.ParseName(ref)
	if err != nil {
		return err
	}
	v, err := e.version(ctx, ref)
	if err != nil {
		return err
	}
	if !v.Made() {
		return fault.New(fault.Refused, "%s was not judged yet, and has no bundle", v.Ref).Do("ask for it with flyball gate %s", v.Ref)
	}
	host, err := f.host()
	if err != nil {
		return err
	}
	b, err := fetchBundle(ctx, e.client(), formats.Decoders(host), v)
	if err != nil {
		return err
	}
	defer b.Close()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(batchMemory)
	}
	job := batch.Job{Bundle: b, Version: v.Version, Out: f.out, Keep: f.keep, Replace: f.replace, Workers: f.workers, Explain: f.explain, Progress: e.scored()}
	if len(f.keep) == 0 {
		job.May = e.named(ctx, name.Model)
	}
	for _, pattern := range f.in {
		files, err := filesOf(ctx, pattern)
		if err != nil {
			return err
		}
		defer files.Close()
		job.In = append(job.In, files.Parts...)
	}
	done, err := f.part(name, &job)
	if err != nil || done {
		return err
	}
	r, err := batch.Run(ctx, job)
	if e.terminal {
		fmt.Fprint(e.err, "\r\x1b[K")
	}
	if err != nil {
		if f.shard != "" && !f.replace && there(job.Out) {
			return nil // the engine started the task twice, and the other was first
		}
		if ctx.Err() != nil {
			e.say("stopped after %d rows; the same command goes on from there", r.Rows)
		}
		return err
	}
	if r.Resumed > 0 {
		e.say("%d rows were scored before", r.Resumed)
	}
	if r.Unseen > 0 {
		e.say("%d values had not been met in training; the column flags names theirs", r.Unseen)
	}
	t := table{head: []string{"out", "rows", "version"}}
	t.add(r.Out, fmt.Sprint(r.Rows), v.Ref.String())
	return e.show(r, t)
}

// filesOf are the files that a pattern names, here or in a bucket of S3.
func filesOf(ctx context.Context, pattern string) (*sources.Set, error) {
	if scheme, _, is := strings.Cut(pattern, "://"); is {
		if scheme != "s3" {
			return nil, fault.New(fault.Refused, "%s:// is not read yet", scheme).Do("copy the files here first")
		}
		return remote.All().Open(ctx, dataset.Settings{Source: pattern})
	}
	names, err := frame.Glob(pattern)
	if err != nil {
		return nil, err
	}
	set := &sources.Set{}
	for _, name := range names {
		file, err := batch.Local(name)
		if err != nil {
			return nil, err
		}
		set.Parts = append(set.Parts, file)
	}
	return set, nil
}

// part leaves the job the files of one task of an array: each n-th, into a file of its own
// in the folder Out. It reports whether there is nothing to do: the task was done before,
// or has no file. So an array may be run again, whole, until all of it is done.
func (b *batchFlags) part(name ident.Name, job *batch.Job) (done bool, err error) {
	if b.shard == "" {
		return false, nil
	}
	var at, of int
	if n, err := fmt.Sscanf(b.shard, "%d/%d", &at, &of); n != 2 || err != nil || at < 0 || at >= of || fmt.Sprintf("%d/%d", at, of) != b.shard {
		return false, fault.New(fault.Invalid, "--shard %s is no part of a whole", b.shard).Do("write 0/50 for the first of fifty, 49/50 for the last")
	}
	switch {
	case name.Version == 0:
		return false, fault.New(fault.Invalid, "the tasks of an array score by one version, and what %s means may change meanwhile", name.Model).Do("name it by its number, such as %s@7", name.Model)
	case !strings.HasSuffix(b.out, "/"):
		return false, fault.New(fault.Invalid, "with --shard, --out is a folder").Do("write a slash at its end")
	}
	var mine []sources.Part
	for i := at; i < len(job.In); i += of {
		mine = append(mine, job.In[i])
	}
	if err := os.MkdirAll(b.out, 0o750); err != nil {
		return false, fault.Wrap(err, fault.Unavailable, "the folder %s cannot be made", b.out)
	}
	job.In, job.Out = mine, filepath.Join(b.out, fmt.Sprintf("shard-%05d-of-%05d.parquet", at, of))
	return len(mine) == 0 || there(job.Out) && !b.replace, nil
}

func there(path string) bool { _, err := os.Stat(path); return err == nil }

// batchMemory is what the collector keeps the scoring of files within, where that is
// possible: rows are let go as fast as they come, and it would let them pile up.
const batchMemory = 128 << 20

// maxBundle bounds a file of a bundle that is fetched.
const maxBundle = 1 << 30

// fetchBundle reads a version's bundle and replays its golden rows: what it says here is
// what it says online.
func fetchBundle(ctx context.Context, c *client.Client, decoders model.Decoders, v registry.Version) (*model.Bundle, error) {
	kept := blob.Memory()
	defer kept.Close()
	fetch := func(d blob.Digest) ([]byte, error) {
		in, err := c.Blob(ctx, string(d))
		if err != nil {
			return nil, err
		}
		defer in.Close()
		raw, err := io.ReadAll(io.LimitReader(in, maxBundle))
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "the bundle of %s was not read to its end", v.Ref)
		}
		_, err = blob.PutBytes(ctx, kept, raw)
		return raw, err
	}
	raw, err := fetch(v.Bundle)
	if err != nil {
		return nil, err
	}
	var m model.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a bundle", v.Bundle)
	}
	for _, d := range m.Files {
		if _, err := fetch(d); err != nil {
			return nil, err
		}
	}
	b, err := model.Open(ctx, kept, decoders, v.Bundle)
	if err != nil {
		return nil, err
	}
	if err := b.Verify(ctx, kept); err != nil {
		return nil, err
	}
	return b, nil
}

// named are the columns of a model file that say which row it is; none where there is no
// model file.
func (e *env) named(ctx context.Context, name string) []string {
	a, err := e.client().File(ctx, name)
	if err != nil {
		return nil
	}
	f, err := spec.Parse(a.Name, []byte(a.File))
	if err != nil || f.Model == nil {
		return nil
	}
	var out []string
	for _, c := range []string{f.Model.Predict.ID, f.Model.Predict.Time} {
		if c != "" {
			out = append(out, c)
		}
	}
	return out
}

// scored shows how many rows are done, and how fast, on a terminal only.
func (e *env) scored() func(int64) {
	if !e.terminal {
		return nil
	}
	began := time.Now()
	var first int64 = -1
	return func(rows int64) {
		if first < 0 {
			first = rows
		}
		rate := ""
		if s := time.Since(began).Seconds(); s > 0.5 {
			rate = fmt.Sprintf(", %.0f a second", float64(rows-first)/s)
		}
		fmt.Fprintf(e.err, "\r\x1b[K%d rows%s", rows, rate)
	}
}
