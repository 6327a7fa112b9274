// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/control"
	"flyball/data/frame"
	"flyball/spec"
)

// examplesIn copies the folder of the examples, but for data: what a model file reads is a
// few rows with its columns. It gives the model files.
func examplesIn(t *testing.T, dir string) (models []string) {
	t.Helper()
	from := filepath.Join("..", "examples")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(from, path)
		if err != nil || d.IsDir() || filepath.Ext(path) == ".gz" || filepath.Ext(path) == ".go" || strings.HasPrefix(name, "ci"+string(os.PathSeparator)) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if filepath.Base(path) == "model.yaml" {
			models = append(models, to)
			raw = append(raw, "# the last word of its author, \tkept as it is  \r\n# é — and without an end"...)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, raw, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		fewRows(t, m)
	}
	return models
}

// fewRows writes the data of a model file: rows with all the columns that it names.
func fewRows(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := spec.Parse(path, raw)
	if err != nil {
		t.Fatal(err)
	}
	a := control.Application{Name: path, File: string(raw)}
	if p := f.Model.Pipeline.Name; p != "" && p != "none" {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), p+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		a.PipelineName, a.Pipeline = p, string(text)
	}
	m, _, err := control.Read(a)
	if err != nil {
		t.Fatal(err)
	}
	kinds := m.Recipe.Kinds()
	for _, c := range []string{m.Recipe.Task.Time, m.Recipe.Task.Truth.DueAt, m.Recipe.Task.Truth.KnownAt} {
		kinds[c] = frame.Time
	}
	for _, c := range m.Recipe.Task.Block.Columns {
		if _, known := kinds[c]; !known {
			kinds[c] = frame.Text
		}
	}
	delete(kinds, "")
	names := slices.Sorted(maps.Keys(kinds))
	var b bytes.Buffer
	fmt.Fprintln(&b, strings.Join(names, ","))
	for i := range 5 {
		var row []string
		for _, c := range names {
			switch kinds[c] {
			case frame.Number:
				row = append(row, fmt.Sprint(i%2))
			case frame.Time:
				row = append(row, time.Date(2016, 1, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339))
			default:
				row = append(row, fmt.Sprintf("a%d", i))
			}
		}
		fmt.Fprintln(&b, strings.Join(row, ","))
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(filepath.Dir(path), f.Model.Data.Source)
	if err := os.WriteFile(to, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsAppliedGoesToAnotherServerByteForByte(t *testing.T) {
	dir := t.TempDir()
	models := examplesIn(t, dir)
	if len(models) < 5 {
		t.Fatalf("the examples have only %q", models)
	}
	a, b := start(t, t.TempDir(), "--executor", "local"), start(t, t.TempDir(), "--executor", "local")
	out, after := filepath.Join(t.TempDir(), "models"), filepath.Join(t.TempDir(), "models")
	for _, c := range []struct {
		url string
		command
	}{
		{a.url, command{args: "apply " + dir, says: "hotel-cancel applied"}},
		{a.url, command{args: "apply " + dir, says: "hotel-cancel unchanged"}},
		{a.url, command{args: "diff " + dir}},
		{a.url, command{args: "export --files " + out, says: filepath.Join(out, "hotel-cancel", "model.yaml")}},
		{a.url, command{args: "diff " + out}},
		{b.url, command{args: "diff " + out, code: 3, says: "+ name: hotel-cancel"}},
		{b.url, command{args: "apply " + out, says: "bike-lightgbm applied"}},
		{b.url, command{args: "diff " + out}},
		{b.url, command{args: "diff " + dir}},
		{b.url, command{args: "export --files " + after + " hotel-cancel -o name", says: "hotel-cancel\n"}},
		{b.url, command{args: "export --files " + after + " hotel-cancel"}},
	} {
		c.check(t, c.url)
	}
	for _, m := range models {
		want, err := os.ReadFile(m)
		if err != nil {
			t.Fatal(err)
		}
		f, err := spec.Parse(m, want)
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(out, f.Model.Name, "model.yaml"))
		deeper, _ := filepath.Glob(filepath.Join(out, f.Model.Name, "*", "model.yaml"))
		if found = append(found, deeper...); err != nil || len(found) != 1 {
			t.Fatalf("%s: %q, %v", f.Model.Name, found, err)
		}
		if got, err := os.ReadFile(found[0]); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not as its author wrote it (%v)", f.Model.Name, err)
		}
	}
	if err := os.WriteFile(filepath.Join(after, "hotel-cancel", "model.yaml"), []byte("name: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command{args: "export --files " + after + " hotel-cancel", code: 6, says: "is there, with other bytes"}.check(t, b.url)
	command{args: "export --files " + after + " hotel-cancel --overwrite"}.check(t, b.url)
	command{args: "diff " + after}.check(t, b.url)
}

func TestAFolderWithAWrongFileAppliesNothing(t *testing.T) {
	dir := t.TempDir()
	s := start(t, t.TempDir())
	for name, text := range map[string]string{"a.yaml": "apiVersion: flyball/v1\nkind: Model\nname: a\nretrian: {}\n", "b.yml": "apiVersion: flyball/v1\nkind: Pipeline\nname: b\nstesp: []\n", "c.yaml": "kind: Model\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := run(t, s.url, "", "apply", dir)
	for _, want := range []string{"a.yaml:4:1: unknown key", "b.yml:4:1: unknown key"} {
		if got.code != 1 || !strings.Contains(got.stderr, want) || strings.Contains(got.stderr, "c.yaml") {
			t.Errorf("exit %d, want %q: %s", got.code, want, got.stderr)
		}
	}
	command{args: "apply " + t.TempDir(), code: 5, says: "no model or pipeline file"}.check(t, s.url)
}
