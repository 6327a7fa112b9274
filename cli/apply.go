// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/control"
	sources "flyball/data/source"
	"flyball/fault"
	"flyball/model/registry"
	"flyball/spec"
)

// modelFile is a model file with all that it depends on, found beside it.
type modelFile struct {
	spec.Model
	application control.Application
	paths       map[string]string // of the data files, by name
	codePaths   map[string]string // of the files of its command, by their paths beside the model file
}

// readModel reads a model file, what it names, and where its data is.
func readModel(path string) (modelFile, error) {
	m, err := readFiles(path)
	if err != nil {
		return modelFile{}, err
	}
	return m, m.find(filepath.Dir(path))
}

// find finds the data files; names are taken from the folder on.
func (m *modelFile) find(dir string) (err error) {
	place := m.Data.Source
	if sources.Elsewhere(place) {
		return nil
	}
	if !filepath.IsAbs(place) {
		place = filepath.Join(dir, place)
	}
	m.paths, err = sources.Files(place)
	return err
}

// readFiles reads a model file, the pipeline file it names and its code. The pipeline of
// name p is p.yaml beside the model file.
func readFiles(path string) (modelFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return modelFile{}, fault.Wrap(err, fault.NotFound, "%s cannot be read", path)
	}
	f, err := spec.Parse(path, raw)
	if err != nil {
		return modelFile{}, err
	}
	if f.Model == nil {
		return modelFile{}, fault.New(fault.Invalid, "%s is not a model file", path).Do("name the file that says kind: Model")
	}
	m := modelFile{Model: *f.Model, paths: map[string]string{}, application: control.Application{Name: path, File: string(raw), Data: map[string]registry.DataFile{}}}
	dir := filepath.Dir(path)
	if err := m.code(dir); err != nil {
		return modelFile{}, err
	}
	if name := f.Model.Pipeline.Name; name != "" && name != "none" {
		p := filepath.Join(dir, name+".yaml")
		raw, err := os.ReadFile(p)
		if err != nil {
			return modelFile{}, fault.Wrap(err, fault.NotFound, "%s names the pipeline %q, and %s cannot be read", path, name, p)
		}
		m.application.PipelineName, m.application.Pipeline = p, string(raw)
	}
	m.application.Commit = commitOf(dir, m.versioned(path))
	return m, nil
}

// upload sends the data files, or only works out their digests.
func (m *modelFile) upload(ctx context.Context, e *env, send bool) error {
	if err := m.sendCode(ctx, e, send); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(m.paths)) {
		f, err := os.Open(m.paths[name])
		if err != nil {
			return fault.Wrap(err, fault.NotFound, "%s cannot be read", m.paths[name])
		}
		if send {
			e.say("sending %s", name)
			var up wire.Upload
			up, err = e.client().Upload(ctx, f)
			m.application.Data[name] = registry.DataFile{Digest: blob.Digest(up.Digest), Size: up.Size}
		} else {
			memory := blob.Memory()
			var d blob.Digest
			var n int64
			d, n, err = memory.Put(ctx, f)
			m.application.Data[name] = registry.DataFile{Digest: d, Size: n}
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *modelFile) request(dry bool) wire.ApplyRequest {
	a := m.application
	return wire.ApplyRequest{Name: a.Name, File: a.File, PipelineName: a.PipelineName, Pipeline: a.Pipeline, Data: a.Data, Code: a.Code, Commit: a.Commit, Repin: a.Repin, DryRun: dry}
}

// applying is how a file is applied.
type applying struct{ explain, dry, repin bool }

func applyCommand(e *env) *cobra.Command {
	var how applying
	c := &cobra.Command{
		Use: "apply FILE|FOLDER", Short: "Make a model file the model's policy from now on, or a pipeline file that of its models", Args: cobra.ExactArgs(1),
		Long: "Applies one file, or all model and pipeline files of a folder and the folders in it: nothing of it where one\n" +
			"is wrong. A pipeline that a model file beside it names is applied with that model.",
		Example: "  flyball apply model.yaml\n  flyball apply model.yaml --dry-run\n  flyball apply model.yaml --explain\n  flyball apply hotel-features.yaml\n  flyball apply models/",
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := filesIn(args[0])
			if err != nil {
				return err
			}
			for _, f := range files {
				if err := e.applyFile(cmd.Context(), f, how); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&how.explain, "explain", false, "print the file with every default filled in, and apply nothing")
	c.Flags().BoolVar(&how.dry, "dry-run", false, "check everything and change nothing")
	c.Flags().BoolVar(&how.repin, "repin", false, "take the columns that the data has now for those that it must have from now on")
	return c
}

// applyFile applies one file.
func (e *env) applyFile(ctx context.Context, path string, how applying) error {
	if p, is := pipelineFile(path); is {
		p.DryRun = how.dry
		return e.applyPipeline(ctx, p)
	}
	m, err := readModel(path)
	if err != nil {
		return err
	}
	m.application.Repin = how.repin
	if how.explain {
		if _, _, err := control.Read(m.application); err != nil {
			return err
		}
		raw, err := m.Model.WithDefaults().YAML()
		if err == nil {
			_, err = e.out.Write(raw)
		}
		return err
	}
	if err := m.upload(ctx, e, !how.dry); err != nil {
		return err
	}
	done := e.waiting("the server reads the data")
	got, err := e.client().Apply(ctx, m.request(how.dry))
	done()
	if err != nil {
		return err
	}
	for _, w := range got.Warnings {
		e.say("warning: %s", w)
	}
	word := map[[2]bool]string{{true, true}: "would change", {true, false}: "applied", {false, true}: "would not change", {false, false}: "unchanged"}[[2]bool{got.Changed, how.dry}]
	_, err = fmt.Fprintf(e.out, "%s %s\n", got.Model, word)
	return err
}

func diffCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE|FOLDER", Short: "What apply would change (exit 3: something)", Args: cobra.ExactArgs(1),
		Long:    "Of a folder, each file that would change something is named above what that is. Models of the\nserver that no file is of are told, and are no difference.",
		Example: "  flyball diff model.yaml\n  flyball diff hotel-features.yaml\n  flyball diff models/",
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := filesIn(args[0])
			if err != nil {
				return err
			}
			many, out := len(files) > 1 || files[0] != args[0], e.out
			var answer error
			for _, f := range files {
				var text bytes.Buffer
				e.out = &text
				err := e.diffFile(cmd.Context(), f)
				e.out = out
				if many && err != nil && text.Len() > 0 {
					fmt.Fprintf(e.out, "%s\n", f)
				}
				if _, w := text.WriteTo(e.out); w != nil {
					return w
				}
				if err != nil && !errors.Is(err, errNo) {
					return err
				}
				answer = cmp.Or(answer, err)
			}
			if many {
				if err := e.sayOthers(cmd.Context(), files); err != nil {
					return err
				}
			}
			if answer == nil {
				e.say("nothing would change")
			}
			return answer
		},
	}
}

// diffFile prints what one file would change; errNo where that is something.
func (e *env) diffFile(ctx context.Context, path string) error {
	if p, is := pipelineFile(path); is {
		return e.diffPipeline(ctx, p)
	}
	m, err := readModel(path)
	if err != nil {
		return err
	}
	if err := m.upload(ctx, e, false); err != nil {
		return err
	}
	old, err := e.client().File(ctx, m.Name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	changes := slices.Concat(diffLines(old.File, m.application.File), diffLines(old.Pipeline, m.application.Pipeline),
		diffBytes("data", old.Data, m.application.Data), diffBytes("code", old.Code, m.application.Code))
	for _, line := range changes {
		fmt.Fprintln(e.out, line)
	}
	if len(changes) > 0 || old.File != m.application.File || old.Pipeline != m.application.Pipeline { // lines may end otherwise
		return errNo
	}
	return nil
}

// diffBytes are the files of which the bytes are others now, or that are gone.
func diffBytes(what string, was, now map[string]registry.DataFile) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was[name] != now[name] {
			out = append(out, fmt.Sprintf("~ %s %s: %d bytes, was %d", what, name, now[name].Size, was[name].Size))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if _, there := now[name]; !there {
			out = append(out, fmt.Sprintf("- %s %s: %d bytes", what, name, was[name].Size))
		}
	}
	return out
}

// sayOthers tells of models of the server that none of the files is of.
func (e *env) sayOthers(ctx context.Context, files []string) error {
	all, err := e.client().Statuses(ctx)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, f := range files {
		if m, err := readFiles(f); err == nil {
			have[m.Name] = true
		}
	}
	for _, st := range all {
		if !have[st.Model] {
			e.say("no file here is of %s", st.Model)
		}
	}
	return nil
}

// maxCompared bounds how many pairs of lines are compared.
const maxCompared = 4 << 20

// diffLines are the lines that one text has and the other has not, after the longest
// common subsequence of their lines; of very long texts, all lines that differ.
func diffLines(from, to string) []string {
	a, b := lines(from), lines(to)
	var out []string
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a)*len(b) > maxCompared {
		for _, x := range a {
			out = append(out, "- "+x)
		}
		for _, x := range b {
			out = append(out, "+ "+x)
		}
		return out
	}
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, "- "+a[i])
			i++
		default:
			out = append(out, "+ "+b[j])
			j++
		}
	}
	return out
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
