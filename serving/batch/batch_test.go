// SPDX-License-Identifier: Apache-2.0

package batch_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/data/source"
	"flyball/fault"
	"flyball/model"
	"flyball/serving/batch"
	"flyball/training/learner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is rows with an id, a number with holes and a category.
func table(n int) *frame.Frame {
	ids, x, city := make([]string, n), make([]float64, n), make([]string, n)
	for i := range n {
		ids[i] = fmt.Sprintf("%05d", i)
		x[i] = math.Sin(float64(i))
		if i%50 == 7 {
			x[i] = math.NaN()
		}
		city[i] = string(rune('a' + i%3))
	}
	return frame.New(frame.TextColumn("id", ids, nil), frame.NumberColumn("x", x), frame.TextColumn("city", city, nil))
}

func bundle(t *testing.T) *model.Bundle {
	t.Helper()
	f := table(300)
	p, err := pipeline.Fit(t.Context(), pipeline.Spec{
		Inputs: pipeline.Fields{{Name: "x", Kind: frame.Number}, {Name: "city", Kind: frame.Text}},
		Steps:  []pipeline.Step{{Op: "one_hot", In: []string{"city"}}},
	}, f, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(f)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float64, f.Rows())
	for i := range y {
		if f.Column("x").Num[i] > 0 {
			y[i] = 1
		}
	}
	l, err := learner.New("builtin/gbdt", map[string]any{"trees": 5})
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.Fit(t.Context(), learner.Data{X: x, Y: y, Kind: dataset.Binary}, learner.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := model.Make(t.Context(), blob.Memory(), learner.Decoders(), model.Parts{
		Model: "m", Pipeline: p, Estimator: file, Rows: f,
		Task: dataset.Task{Column: "y", Kind: dataset.Binary, Decide: &dataset.Decision{Above: 0.5, Then: "hold", Else: "sell"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, name string, f *frame.Frame) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".csv") {
		fmt.Fprintln(out, "id,x,city")
		for i := range f.Rows() {
			fmt.Fprintf(out, "%s,%s,%s\n", f.Column("id").Format(i), f.Column("x").Format(i), f.Column("city").Format(i))
		}
	} else {
		w, err := frame.NewParquetWriter(out, f.Fields())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(f), w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// files are the input of a job.
func files(t *testing.T, paths ...string) (out []source.Part) {
	t.Helper()
	for _, path := range paths {
		p, err := batch.Local(path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func read(t *testing.T, path string) *frame.Frame {
	t.Helper()
	in, err := frame.OpenFile(path, frame.CSVOptions{Kinds: map[string]frame.Kind{"id": frame.Text, "flags": frame.Text}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFilesAreScoredInTheirOrderAndInTheBitsOfABatchOfOne(t *testing.T) {
	b := bundle(t)
	rows := table(70_000)
	for _, c := range []struct{ in, out string }{{"rows.csv", "scores.parquet"}, {"rows.parquet", "scores.csv"}, {"rows.parquet", "scores.parquet"}} {
		t.Run(c.in+" to "+c.out, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), c.out)
			r, err := batch.Run(t.Context(), batch.Job{Bundle: b, Version: 3, In: files(t, write(t, c.in, rows)), Out: out, May: []string{"id", "when"}, Workers: 3})
			if err != nil {
				t.Fatal(err)
			}
			if r.Rows != 70_000 || r.Resumed != 0 {
				t.Fatalf("got %+v", r)
			}
			got := read(t, out)
			for i := 0; i < rows.Rows(); i += 997 {
				want, err := b.Predict(t.Context(), rows.Slice(i, i+1))
				if err != nil {
					t.Fatal(err)
				}
				if got.Column("id").Text[i] != fmt.Sprintf("%05d", i) || got.Column("value").Num[i] != want.Values[0] ||
					got.Column("decision").Text[i] != b.Decision(want.Values) || got.Column("version").Num[i] != 3 {
					t.Fatalf("row %d: got %s %v %s, want %v", i, got.Column("id").Text[i], got.Column("value").Num[i], got.Column("decision").Text[i], want.Values)
				}
			}
			if left, _ := filepath.Glob(filepath.Dir(out) + "/*"); len(left) != 1 {
				t.Errorf("beside the output there is %v", left)
			}
		})
	}
}

func TestWhatWasStoppedGoesOnWhereItWas(t *testing.T) {
	b := bundle(t)
	in := write(t, "rows.parquet", table(300_000))
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.parquet")
	if _, err := batch.Run(t.Context(), batch.Job{Bundle: b, In: files(t, in), Out: whole, Keep: []string{"id"}, Workers: 2}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	job := batch.Job{Bundle: b, In: files(t, in), Out: filepath.Join(dir, "scores.parquet"), Keep: []string{"id"}, Workers: 2}
	job.Progress = func(rows int64) {
		if rows > 150_000 {
			cancel()
		}
	}
	first, err := batch.Run(ctx, job)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(job.Out); err == nil {
		t.Fatal("a half output is there")
	}
	job.Progress = nil
	second, err := batch.Run(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	if second.Resumed < 131_072 || second.Resumed < first.Rows || second.Rows != 300_000 {
		t.Fatalf("got %+v after %+v", second, first)
	}
	a, c := read(t, whole), read(t, job.Out)
	for i := range a.Rows() {
		if a.Column("id").Text[i] != c.Column("id").Text[i] || a.Column("value").Num[i] != c.Column("value").Num[i] {
			t.Fatalf("row %d differs", i)
		}
	}
}

// TestOneJobRunTwiceAtOnceLeavesTheOutputOfOne is a task that an engine has started anew
// while its first run goes on.
func TestOneJobRunTwiceAtOnceLeavesTheOutputOfOne(t *testing.T) {
	b, dir := bundle(t), t.TempDir()
	rows := table(300_000) // three parts
	in := write(t, "rows.parquet", rows)
	job := func(out string) batch.Job {
		return batch.Job{Bundle: b, Version: 3, In: files(t, in), Out: filepath.Join(dir, out), May: []string{"id"}, Workers: 2}
	}
	if _, err := batch.Run(t.Context(), job("alone.parquet")); err != nil {
		t.Fatal(err)
	}
	want := read(t, filepath.Join(dir, "alone.parquet")).Column("value").Num
	for round := range 4 {
		name := fmt.Sprintf("twice%d.parquet", round)
		ended := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := batch.Run(t.Context(), job(name))
				ended <- err
			}()
		}
		if first, second := <-ended, <-ended; first != nil && second != nil {
			t.Fatalf("both failed: %v; %v", first, second)
		}
		if got := read(t, filepath.Join(dir, name)).Column("value").Num; !slices.Equal(got, want) {
			t.Fatalf("round %d: two at once left other scores", round)
		}
	}
}

func TestNothingIsOverwrittenWithoutAWord(t *testing.T) {
	b := bundle(t)
	in := write(t, "rows.parquet", table(10))
	dir := t.TempDir()
	out := filepath.Join(dir, "scores.parquet")
	job := batch.Job{Bundle: b, In: files(t, in), Out: out}
	if _, err := batch.Run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Run(t.Context(), job); !fault.Is(err, fault.Conflict) {
		t.Errorf("an output was there: got %v", err)
	}
	job.Replace = true
	if _, err := batch.Run(t.Context(), job); err != nil {
		t.Errorf("got %v", err)
	}
	other := filepath.Join(dir, "other.csv")
	if err := os.MkdirAll(other+".parts", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other+".parts", "job.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	job.Replace, job.Out = false, other
	if _, err := batch.Run(t.Context(), job); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "another run") {
		t.Errorf("another run's parts were there: got %v", err)
	}
}

func TestWhatCannotBeScoredSaysWhere(t *testing.T) {
	b := bundle(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ what, in, out, want string }{
		{"a word for a number", file("a.csv", "id,x,city\n1,2,a\n2,two,b\n"), "o.csv", "a.csv:3"},
		{"a column is absent", file("b.csv", "id,x\n1,2\n"), "o.csv", `"city"`},
		{"no rows", file("c.csv", "id,x,city\n"), "o.csv", "no rows"},
		{"no such file", filepath.Join(dir, "none.csv"), "o.csv", "none.csv"},
		{"an ending that is not known", file("d.csv", "id,x,city\n1,2,a\n"), "o.xlsx", "neither a .parquet nor a .csv"},
	} {
		t.Run(c.what, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), c.out)
			in, err := batch.Local(c.in)
			if err == nil {
				_, err = batch.Run(t.Context(), batch.Job{Bundle: b, In: []source.Part{in}, Out: out})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("an output is there")
			}
		})
	}
}

func TestWithReasonsTheContributionsAddUpToTheMargin(t *testing.T) {
	b := bundle(t)
	out := filepath.Join(t.TempDir(), "scores.parquet")
	if _, err := batch.Run(t.Context(), batch.Job{Bundle: b, In: files(t, write(t, "rows.parquet", table(500))), Out: out, Explain: true}); err != nil {
		t.Fatal(err)
	}
	got := read(t, out)
	for i := range got.Rows() {
		sum := got.Column("base").Num[i] + got.Column("contribution.x").Num[i] + got.Column("contribution.city").Num[i]
		if p := 1 / (1 + math.Exp(-sum)); math.Abs(p-got.Column("value").Num[i]) > 1e-6 {
			t.Fatalf("row %d: reasons add up to %v, the value is %v", i, p, got.Column("value").Num[i])
		}
	}
}

func TestAFolderTakesTheParts(t *testing.T) {
	b := bundle(t)
	in := write(t, "rows.parquet", table(200_000))
	out := filepath.Join(t.TempDir(), "scores") + "/"
	if _, err := batch.Run(t.Context(), batch.Job{Bundle: b, In: files(t, in, in), Out: out}); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(out + "*.parquet")
	if err != nil || len(names) < 2 {
		t.Fatalf("got %v, %v", names, err)
	}
	n := 0
	for _, name := range names {
		n += read(t, name).Rows()
	}
	if n != 400_000 {
		t.Errorf("got %d rows", n)
	}
}
