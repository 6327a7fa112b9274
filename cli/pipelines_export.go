// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/data/pipeline/export"
	"flyball/fault"
	"flyball/model"
	"flyball/python"
)

func exportPipelineCommand(e *env) *cobra.Command {
	var to, out string
	c := &cobra.Command{
		Use: "export REF", Short: "Write the fitted pipeline of a version as JSON, ONNX or Python", Args: cobra.ExactArgs(1),
		Long: "Writes the fitted pipeline of a version, or of a pipeline.json, for programs that are not Flyball:\n" +
			"json is the file itself, onnx a graph for any ONNX runtime, python a folder with the file and the modules that\n" +
			"read it, which need NumPy alone. All give the same float32 bits (docs/formats/pipeline.md). What ONNX has no\n" +
			"operators for is refused by name.",
		Example: "  flyball pipelines export hotel-cancel --to onnx --out features.onnx\n" +
			"  flyball pipelines export hotel-cancel@7 --to python --out features/\n  flyball pipelines export pipeline.json --to onnx --out features.onnx",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := e.fitted(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			switch to {
			case "json":
				return e.write(out, f.Encode())
			case "onnx":
				graph, err := export.ONNX(f)
				if err != nil {
					return err
				}
				return e.write(out, graph)
			case "python":
				return e.writePython(out, f)
			}
			return fault.New(fault.Invalid, "a pipeline cannot be written as %q", to).Do("use --to json, onnx or python")
		},
	}
	c.Flags().StringVar(&to, "to", "json", "json, onnx or python")
	c.Flags().StringVar(&out, "out", "", "the file, or the folder of --to python; - is standard output")
	_ = c.MarkFlagRequired("out")
	return c
}

// fitted is the pipeline of a version, or of a file that ends in .json.
func (e *env) fitted(ctx context.Context, ref string) (*pipeline.Fitted, error) {
	if strings.HasSuffix(ref, ".json") {
		raw, err := os.ReadFile(ref)
		if err != nil {
			return nil, fault.Wrap(err, fault.NotFound, "%s cannot be read", ref)
		}
		return pipeline.Decode(raw)
	}
	v, err := e.version(ctx, ref)
	if err != nil {
		return nil, err
	}
	if !v.Made() {
		return nil, fault.New(fault.Refused, "%s was not judged yet, and has no bundle", v.Ref).Do("ask for it with flyball gate %s", v.Ref)
	}
	raw, err := e.readBlob(ctx, v.Bundle)
	if err != nil {
		return nil, err
	}
	var m model.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "%s is not a bundle", v.Bundle)
	}
	d, ok := m.Files[model.PipelineFile]
	if !ok {
		return nil, fault.New(fault.Refused, "%s has no pipeline: it takes the columns as they are", v.Ref)
	}
	if raw, err = e.readBlob(ctx, d); err != nil {
		return nil, err
	}
	return pipeline.Decode(raw)
}

func (e *env) readBlob(ctx context.Context, d blob.Digest) ([]byte, error) {
	in, err := e.client().Blob(ctx, string(d))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	raw, err := io.ReadAll(io.LimitReader(in, maxBundle))
	return raw, fault.Wrap(err, fault.Unavailable, "%s was not read to its end", d)
}

// write writes a file that is not there yet, whole or not at all.
func (e *env) write(name string, b []byte) error {
	if name == "-" {
		_, err := e.out.Write(b)
		return err
	}
	return create(name, func(f *os.File) error {
		_, err := f.Write(b)
		return err
	})
}

// create makes a file that is not there yet, whole or not at all.
func create(name string, fill func(*os.File) error) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "%s is there already", name).Do("choose another name, or remove it")
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*.tmp")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be written", name)
	}
	err = fill(f)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// writePython makes a folder of pipeline.json and the SDK.
func (e *env) writePython(dir string, f *pipeline.Fitted) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fault.Wrap(err, fault.Conflict, "the folder %s cannot be made", dir)
	}
	if err := os.CopyFS(dir, python.Files); err != nil {
		return fault.Wrap(err, fault.Unavailable, "%s cannot be written", dir)
	}
	if err := e.write(filepath.Join(dir, model.PipelineFile), f.Encode()); err != nil {
		return err
	}
	e.say("from %s: from flyball import pipeline; pipeline.load(%q).transform(rows)", dir, model.PipelineFile)
	return nil
}

func transformCommand(e *env) *cobra.Command {
	var in, keep []string
	var out string
	c := &cobra.Command{
		Use: "transform REF", Short: "Make features of the rows of files, as Parquet", Args: cobra.ExactArgs(1),
		Long: "Makes features of the rows of --in, by the fitted pipeline of a version or of a pipeline.json, and writes them to a\n" +
			"Parquet file: a float for each, null where missing, in the pipeline's order. --keep carries columns of --in along.",
		Example: "  flyball pipelines transform hotel-cancel --in bookings.csv.gz --keep is_canceled --out features.parquet\n" +
			"  flyball pipelines transform pipeline.json --in 'days/*.parquet' --out features.parquet",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := e.fitted(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			t := transforming{pipeline: f, keep: keep}
			for _, pattern := range in {
				files, err := frame.Glob(pattern)
				if err != nil {
					return err
				}
				t.in = append(t.in, files...)
			}
			if err := create(out, func(w *os.File) error { return t.run(cmd.Context(), w) }); err != nil {
				return err
			}
			if t.unseen > 0 {
				e.say("%d values had not been met in training", t.unseen)
			}
			shown := table{head: []string{"out", "rows", "features"}}
			shown.add(out, fmt.Sprint(t.rows), fmt.Sprint(len(f.Names())))
			return e.show(map[string]any{"out": out, "rows": t.rows, "features": f.Names(), "unseen": t.unseen}, shown)
		},
	}
	c.Flags().StringArrayVar(&in, "in", nil, "files of rows: .csv (also .gz, .zst, .zip), .parquet, or a pattern in quotes (may be repeated)")
	c.Flags().StringVar(&out, "out", "", "the Parquet file")
	c.Flags().StringSliceVar(&keep, "keep", nil, "columns of --in that are carried along")
	_ = c.MarkFlagRequired("in")
	_ = c.MarkFlagRequired("out")
	return c
}

// transforming is one run of transform.
type transforming struct {
	pipeline     *pipeline.Fitted
	in, keep     []string
	out          *export.Table
	rows, unseen int
}

// run writes the features of all files to w.
func (t *transforming) run(ctx context.Context, w io.Writer) error {
	kinds := map[string]frame.Kind{}
	for _, f := range t.pipeline.Inputs() {
		kinds[f.Name] = f.Kind
	}
	for _, name := range t.in {
		r, err := frame.OpenFile(name, frame.CSVOptions{Kinds: kinds})
		if err != nil {
			return err
		}
		for {
			rows, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err == nil {
				err = context.Cause(ctx)
			}
			if err == nil {
				err = t.write(w, rows)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	if t.out == nil {
		return fault.New(fault.Invalid, "the files hold nothing to transform")
	}
	return t.out.Close()
}

// write writes the features of some rows.
func (t *transforming) write(w io.Writer, rows *frame.Frame) error {
	m, unseen, err := t.pipeline.Transform(rows)
	if err != nil {
		return err
	}
	beside, err := rows.Select(t.keep...)
	if err != nil {
		return err
	}
	if t.out == nil {
		if t.out, err = export.NewTable(w, t.pipeline.Names(), beside.Fields()); err != nil {
			return err
		}
	}
	t.rows, t.unseen = t.rows+m.Rows, t.unseen+len(unseen)
	return t.out.Write(m, beside)
}
