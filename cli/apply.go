// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
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

func applyCommand(e *env) *cobra.Command {
	var explain, dry, repin bool
	c := &cobra.Command{
		Use: "apply FILE", Short: "Make a model file the model's policy from now on, or a pipeline file that of its models", Args: cobra.ExactArgs(1),
		Example: "  flyball apply model.yaml\n  flyball apply model.yaml --dry-run\n  flyball apply model.yaml --explain\n  flyball apply hotel-features.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if p, is := pipelineFile(args[0]); is {
				p.DryRun = dry
				return e.applyPipeline(cmd.Context(), p)
			}
			m, err := readModel(args[0])
			if err != nil {
				return err
			}
			m.application.Repin = repin
			if explain {
				if _, _, err := control.Read(m.application); err != nil {
					return err
				}
				raw, err := m.Model.WithDefaults().YAML()
				if err == nil {
					_, err = e.out.Write(raw)
				}
				return err
			}
			if err := m.upload(cmd.Context(), e, !dry); err != nil {
				return err
			}
			done := e.waiting("the server reads the data")
			got, err := e.client().Apply(cmd.Context(), m.request(dry))
			done()
			if err != nil {
				return err
			}
			for _, w := range got.Warnings {
				e.say("warning: %s", w)
			}
			word := map[[2]bool]string{{true, true}: "would change", {true, false}: "applied", {false, true}: "would not change", {false, false}: "unchanged"}[[2]bool{got.Changed, dry}]
			_, err = fmt.Fprintf(e.out, "%s %s\n", got.Model, word)
			return err
		},
	}
	c.Flags().BoolVar(&explain, "explain", false, "print the file with every default filled in, and apply nothing")
	c.Flags().BoolVar(&dry, "dry-run", false, "check everything and change nothing")
	c.Flags().BoolVar(&repin, "repin", false, "take the columns that the data has now for those that it must have from now on")
	return c
}

func diffCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use: "diff FILE", Short: "What apply would change (exit 3: something)", Args: cobra.ExactArgs(1),
		Example: "  flyball diff model.yaml\n  flyball diff hotel-features.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if p, is := pipelineFile(args[0]); is {
				return e.diffPipeline(cmd.Context(), p)
			}
			m, err := readModel(args[0])
			if err != nil {
				return err
			}
			if err := m.upload(cmd.Context(), e, false); err != nil {
				return err
			}
			old, err := e.client().File(cmd.Context(), m.Name)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			changes := diffLines(old.File, m.application.File)
			changes = append(changes, diffLines(old.Pipeline, m.application.Pipeline)...)
			for _, name := range slices.Sorted(maps.Keys(m.application.Data)) {
				if was := old.Data[name]; was != m.application.Data[name] {
					changes = append(changes, fmt.Sprintf("~ data %s: %d bytes, was %d", name, m.application.Data[name].Size, was.Size))
				}
			}
			for _, line := range changes {
				fmt.Fprintln(e.out, line)
			}
			for _, name := range slices.Sorted(maps.Keys(m.application.Code)) {
				if was := old.Code[name]; was != m.application.Code[name] {
					changes = append(changes, fmt.Sprintf("~ code %s: %d bytes, was %d", name, m.application.Code[name].Size, was.Size))
				}
			}
			if len(changes) > 0 {
				return errNo
			}
			e.say("nothing would change")
			return nil
		},
	}
}

// diffLines are the lines that one text has and the other has not, after the longest
// common subsequence of their lines.
func diffLines(from, to string) []string {
	a, b := lines(from), lines(to)
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
	var out []string
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
