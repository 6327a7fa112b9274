// SPDX-License-Identifier: Apache-2.0

package mlmodel_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/mlmodel"
	"flyball/model/registry"
	"flyball/spec"
	"flyball/training/learner"
)

var ctx = context.Background()

// python is a Python with numpy.
func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("FLYBALL_PYTHON")
	if p == "" {
		p = "../../.cache/venv/bin/python"
	}
	if _, err := exec.LookPath(p); err != nil {
		t.Skip("no Python with numpy: set FLYBALL_PYTHON or make .cache/venv")
	}
	return p
}

// tree is paths in memory.
type tree map[string]blob.Digest

func (tr tree) Stat(_ context.Context, path string) (artifact.Entry, error) {
	d, ok := tr[path]
	if !ok {
		return artifact.Entry{}, fault.New(fault.NotFound, "there is no %s", path)
	}
	return artifact.Entry{Path: path, Digest: d}, nil
}

func (tr tree) Link(_ context.Context, path string, d blob.Digest, _ int64) error {
	tr[path] = d
	return nil
}

// save writes what lies under a path to a folder on disk.
func (tr tree) save(t *testing.T, blobs blob.Store, under string) string {
	t.Helper()
	dir := t.TempDir()
	for path, d := range tr {
		name, ok := strings.CutPrefix(path, under+"/")
		if !ok {
			continue
		}
		raw, err := blob.ReadAll(ctx, blobs, d, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func version(b *model.Bundle) registry.Version {
	return registry.Version{
		Ref: ident.Ref{Model: "hotel-cancel", Version: 7}, Bundle: b.Digest,
		CreatedAt: time.Date(2016, 5, 3, 14, 0, 0, 0, time.UTC),
	}
}

// columns are a frame's columns as JSON has them: a time is text.
func columns(f *frame.Frame) map[string][]any {
	out := map[string][]any{}
	for i := range f.Columns() {
		c := &f.Columns()[i]
		values := make([]any, f.Rows())
		for i := range values {
			switch {
			case c.Missing(i):
			case c.Kind == frame.Number:
				values[i] = c.Num[i]
			default:
				values[i] = c.Format(i)
			}
		}
		out[c.Name] = values
	}
	return out
}

// inPython scores rows by a folder on disk.
func inPython(t *testing.T, dir string, rows *frame.Frame) []float64 {
	t.Helper()
	in, err := json.Marshal(columns(rows))
	if err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	cmd := exec.CommandContext(ctx, python(t), "testdata/score.py", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, talk.String())
	}
	var bits []uint64
	if err := json.Unmarshal(out.Bytes(), &bits); err != nil {
		t.Fatal(err)
	}
	scores := make([]float64, len(bits))
	for i, b := range bits {
		scores[i] = math.Float64frombits(b)
	}
	return scores
}

// table is rows of every kind of column, with missing values.
func table(n, from int) *frame.Frame {
	x, z, at := make([]float64, n), make([]float64, n), make([]int64, n)
	city, room := make([]string, n), make([]string, n)
	noCity, noRoom := make([]bool, n), make([]bool, n)
	for i := range n {
		k := i + from
		x[i], z[i] = 3*math.Sin(float64(k)), math.Exp(float64(k%17)/3)
		city[i] = []string{"Lisbon", "Porto", "Évora", "other", "Faro"}[k*k%5]
		room[i] = fmt.Sprintf("r%d", k%13*(k%3))
		at[i] = time.Date(1969, 1, 1, 0, 0, 0, 123_456_000, time.UTC).Add(time.Duration(k) * 101 * time.Hour).UnixMicro()
		switch k % 23 {
		case 3:
			x[i] = math.NaN()
		case 5:
			noCity[i], city[i] = true, ""
		case 7:
			at[i] = frame.NoTime
		case 11:
			noRoom[i], room[i], z[i] = true, "", math.NaN()
		}
	}
	return frame.New(frame.NumberColumn("x", x), frame.NumberColumn("lead time", z), frame.TextColumn("city", city, noCity),
		frame.TextColumn("room", room, noRoom), frame.TimeColumn("at", at))
}

var low, high = -1.5, 2.0

// everything has each operation, and each of its strategies that makes something else.
var everything = []pipeline.Step{
	{Op: "datetime", In: []string{"at"}, Parts: []string{"year", "month", "day", "weekday", "hour", "minute", "yearday"}},
	{Op: "expr", As: "sum", Expr: `x + $env["lead time"] * 2 - 1`},
	{Op: "expr", As: "far", Expr: `city in ["Lisbon", "Faro"] and x > 0 ? max(1, x, at_month) : min(x, -at_hour) / 3`},
	{Op: "expr", As: "named", Expr: `city startsWith "É" or not (city contains "o") ? len(city) : round(x) + abs(mod(x, 0.7)) ** 2`},
	{Op: "expr", As: "soft", Expr: `1 / (1 + exp(-x)) - exp(-$env["lead time"] / 9) + exp(1)`},
	{Op: "impute", In: []string{"x"}, Strategy: "median", As: "x filled"},
	{Op: "impute", In: []string{"room"}, Strategy: "constant", Value: "none"},
	{Op: "scale", In: []string{"lead time"}, Strategy: "robust"},
	{Op: "clip", In: []string{"x"}, Min: &low, Max: &high, As: "x clipped"},
	{Op: "bucketize", In: []string{"sum"}, Bins: 7},
	{Op: "one_hot", In: []string{"city"}, AtLeast: 3},
	{Op: "ordinal", In: []string{"room"}, AtLeast: 20, By: "frequency"},
	{Op: "expr", As: "again", Expr: `city != "Porto" ? room * 1.5 : floor(far) + ceil(x) - sqrt(x * x)`},
}

func bundle(t *testing.T, blobs blob.Store, kind dataset.Kind, with string, steps pipeline.Spec, rows *frame.Frame, y []float64) *model.Bundle {
	t.Helper()
	fitted, err := pipeline.Fit(ctx, steps, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := fitted.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{}
	with, objective, ok := strings.Cut(with, " ")
	if ok {
		settings["objective"] = objective
	}
	l, err := learner.New(with, settings)
	if err != nil {
		t.Fatal(err)
	}
	task := dataset.Task{Column: "y", Kind: kind}
	var classes []string
	if kind == dataset.Multiclass {
		classes = []string{"a", "b", "c"}
	}
	file, err := l.Fit(ctx, learner.Data{X: x, Y: y, Kind: kind, Classes: len(classes)}, learner.Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(ctx, blobs, learner.Decoders(), model.Parts{
		Model: "hotel-cancel", Task: task, Classes: classes, Pipeline: fitted, Estimator: file, Rows: rows,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// folder writes a version's folder to disk.
func folder(t *testing.T, blobs blob.Store, b *model.Bundle) string {
	t.Helper()
	tr := tree{}
	at, err := mlmodel.Folder(ctx, blobs, tr, version(b))
	if err != nil {
		t.Fatal(err)
	}
	if at != "versions/hotel-cancel/7" {
		t.Fatalf("the folder lies at %s", at)
	}
	return tr.save(t, blobs, at)
}

// sameScores compares Python's scores of the rows with Go's, bit for bit.
func sameScores(t *testing.T, dir string, b *model.Bundle, rows *frame.Frame) {
	t.Helper()
	want, err := b.Predict(ctx, rows)
	if err != nil {
		t.Fatal(err)
	}
	got := inPython(t, dir, rows)
	if len(got) != len(want.Values) {
		t.Fatalf("got %d scores, want %d", len(got), len(want.Values))
	}
	for i, w := range want.Values {
		if math.Float64bits(got[i]) != math.Float64bits(w) {
			t.Fatalf("score %d is %v in Python and %v in Go", i, got[i], w)
		}
	}
}

func TestAFolderScoresInPythonAsItsBundleDoesInGo(t *testing.T) {
	train, later := table(900, 0), table(400, 5000)
	inputs := train.Fields()
	labels := func(kind dataset.Kind) []float64 {
		y := make([]float64, train.Rows())
		for i := range y {
			switch v := math.Sin(float64(i)) + float64(i%5); kind {
			case dataset.Binary:
				y[i] = math.Round(v/5 + 0.1)
			case dataset.Multiclass:
				y[i] = math.Mod(math.Floor(v+2), 3)
			default:
				y[i] = v
			}
		}
		return y
	}
	for _, kind := range []dataset.Kind{dataset.Regression, dataset.Binary, dataset.Multiclass} {
		for _, with := range []string{"builtin/gbdt", "builtin/linear", "builtin/constant"} {
			t.Run(string(kind)+" with "+with, func(t *testing.T) {
				blobs := blob.Memory()
				b := bundle(t, blobs, kind, with, pipeline.Spec{Inputs: inputs, Steps: everything}, train, labels(kind))
				sameScores(t, folder(t, blobs, b), b, later)
			})
		}
	}
	t.Run("counts with builtin/linear", func(t *testing.T) {
		blobs, y := blob.Memory(), labels(dataset.Regression)
		for i := range y {
			y[i] = math.Round(math.Abs(y[i]))
		}
		b := bundle(t, blobs, dataset.Regression, "builtin/linear poisson", pipeline.Spec{Inputs: inputs, Steps: everything}, train, y)
		sameScores(t, folder(t, blobs, b), b, later)
	})
}

// example reads an example's model file, and its data.
func example(t *testing.T, model, steps, data string) (*spec.Model, pipeline.Spec, *frame.Frame) {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join("../../examples", name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	f, err := spec.Parse(model, read(model))
	if err != nil {
		t.Fatal(err)
	}
	s := pipeline.Spec{Inputs: f.Model.Pipeline.Inputs, Steps: f.Model.Pipeline.Steps}
	if steps != "" {
		p, err := spec.Parse(steps, read(steps))
		if err != nil {
			t.Fatal(err)
		}
		s = pipeline.Spec{Inputs: p.Pipeline.Inputs, Steps: p.Pipeline.Steps}
	}
	z, err := gzip.NewReader(bytes.NewReader(read(data)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]frame.Kind{}
	for _, in := range s.Inputs {
		kinds[in.Name] = in.Kind
	}
	r, err := frame.OpenBytes("data.csv", raw, frame.CSVOptions{Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return f.Model, s, rows
}

func TestTheExamplesScoreInPythonAsInGo(t *testing.T) {
	t.Run("hotel-cancel", func(t *testing.T) {
		m, steps, rows := example(t, "hotel-cancel/model.yaml", "hotel-cancel/hotel-features.yaml", "hotel-cancel/demo_hotel_bookings.csv.gz")
		train, later := rows.Slice(0, 4000), rows.Slice(4000, 7000)
		blobs := blob.Memory()
		b := bundle(t, blobs, dataset.Binary, m.Train.With, steps, train, train.Column(m.Predict.Column).Num)
		sameScores(t, folder(t, blobs, b), b, later)
	})
	t.Run("bike-demand", func(t *testing.T) {
		m, steps, rows := example(t, "bike-demand/model.yaml", "", "bike-demand/demo_bike_hourly.csv.gz")
		counts := rows.Column("cnt").Num
		cols := rows.Columns()
		for _, lag := range []int{24, 168} { // in rows; the demo goes by the clock
			v := make([]float64, len(counts))
			for i := range v {
				if v[i] = math.NaN(); i >= lag {
					v[i] = counts[i-lag]
				}
			}
			cols = append(cols, frame.NumberColumn(fmt.Sprint("lag", lag), v))
		}
		rows = frame.New(cols...)
		train, later := rows.Slice(0, 3000), rows.Slice(3000, 6000)
		blobs := blob.Memory()
		b := bundle(t, blobs, dataset.Regression, m.Train.With, steps, train, counts[:3000])
		sameScores(t, folder(t, blobs, b), b, later)
	})
}

func TestAFolderThatChangedIsRefusedInPython(t *testing.T) {
	train := table(300, 0)
	blobs := blob.Memory()
	b := bundle(t, blobs, dataset.Regression, "builtin/linear", pipeline.Spec{
		Inputs: train.Fields()[:2], Steps: []pipeline.Step{{Op: "scale", In: []string{"x"}}},
	}, train, make([]float64, train.Rows()))
	for _, c := range []struct{ name, file, old, new, says string }{
		{"another estimator", "flyball/linear.json", "regression", "binary", "linear.json is not the file"},
		{"another pipeline", "flyball/pipeline.json", "standard", "minmax", "pipeline.json is not the file"},
		{"other golden rows", "flyball/loader.json", `"scores":[[`, `"scores":[[4`, "golden row 0 scores"},
		{"a format of another day", "flyball/loader.json", mlmodel.LoaderFormat, "flyball.loader/v2", "this loader reads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, blobs, b)
			path := filepath.Join(dir, c.file)
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := bytes.Replace(raw, []byte(c.old), []byte(c.new), 1)
			if c.old == "standard" { // the default is not written
				changed = append(raw, ' ')
			}
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, python(t), "testdata/score.py", dir)
			cmd.Stdin = strings.NewReader("{}")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.says) {
				t.Errorf("got %v, %s; want %q", err, out, c.says)
			}
		})
	}
}

func TestTheSameVersionIsTheSameFolder(t *testing.T) {
	train := table(300, 0)
	blobs := blob.Memory()
	b := bundle(t, blobs, dataset.Binary, "builtin/constant", pipeline.Spec{Inputs: train.Fields()[:2]}, train, make([]float64, train.Rows()))
	write := func(tr tree) {
		t.Helper()
		if _, err := mlmodel.Folder(ctx, blobs, tr, version(b)); err != nil {
			t.Fatal(err)
		}
	}
	first, again := tree{}, tree{}
	write(first)
	write(again)
	if len(first) != 12 {
		t.Errorf("the folder has %d files: %v", len(first), first)
	}
	for path, d := range first {
		if again[path] != d {
			t.Errorf("%s differs", path)
		}
	}

	const at = "versions/hotel-cancel/7/"
	delete(again, at+"conda.yaml")
	if write(again); again[at+"conda.yaml"] != "" {
		t.Error("a whole folder was written again")
	}
	for name, half := range map[string]string{"a folder that broke off": "MLmodel", "a folder with an older loader": "code/flyball_model.py"} {
		again[at+half] = blob.Sum([]byte("older"))
		if half == "MLmodel" {
			delete(again, at+half)
		}
		if write(again); again[at+half] != first[at+half] || again[at+"conda.yaml"] == "" {
			t.Errorf("%s was not written again", name)
		}
		delete(again, at+"conda.yaml")
	}
}

func TestAVersionThatHasNoFolderSaysWhy(t *testing.T) {
	train := table(300, 0)
	blobs := blob.Memory()
	steps := pipeline.Spec{Inputs: train.Fields()[:3], Steps: []pipeline.Step{
		{Op: "expr", As: "z", Expr: `city matches "^L" ? 1 : 0`}, {Op: "one_hot", In: []string{"city"}},
	}}
	b := bundle(t, blobs, dataset.Binary, "builtin/constant", steps, train, make([]float64, train.Rows()))
	registered := version(b)
	registered.Bundle = ""
	for says, v := range map[string]registry.Version{"cannot be worked out in Python": version(b), "has no bundle": registered} {
		if _, err := mlmodel.Folder(ctx, blobs, tree{}, v); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}
