// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/model"
)

// pythonOf is the interpreter of one of the environments that scripts/setup.sh makes.
func pythonOf(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/" + name + "/bin/python")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Skipf("no .cache/%s: make it with scripts/setup.sh", name)
	}
	return path
}

// mlflowCase is one line of testdata/folders.py.
type mlflowCase struct {
	Name, Folder string
	Inputs       []Input
	Columns      map[string][]any
	Kind         dataset.Kind
	Classes      []string
	Answer       json.RawMessage
	Body, Params json.RawMessage
	Scores       [][]float64
	Lone         bool // the library alone can load and score it, on a matrix of numpy
}

func mlflowCases(t *testing.T) []mlflowCase {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), pythonOf(t, "mlflow3"), "testdata/folders.py", t.TempDir())
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var all []mlflowCase
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		var c mlflowCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func (c mlflowCase) files(t testing.TB, flavor string) files {
	t.Helper()
	f := files{}
	err := filepath.WalkDir(c.Folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(c.Folder, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		f[Folder+filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	about, err := File{Flavor: flavor, Inputs: c.Inputs, Outputs: max(1, len(c.Classes)), Kind: c.Kind, Classes: c.Classes}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind == dataset.Binary {
		about = bytes.Replace(about, []byte(`"outputs":2`), []byte(`"outputs":1`), 1)
	}
	f[FileName] = string(about)
	return f
}

func (c mlflowCase) rows() *frame.Frame {
	if len(c.Inputs) == 0 {
		return nil
	}
	var cols []frame.Column
	for _, in := range c.Inputs {
		col := frame.Column{Field: in.Field}
		for _, v := range c.Columns[in.Name] {
			switch in.Kind {
			case frame.Number:
				x := math.NaN()
				if v != nil {
					x = v.(float64)
				}
				col.Num = append(col.Num, x)
			case frame.Text:
				s, _ := v.(string)
				col.Text = append(col.Text, s)
				col.Null = append(col.Null, v == nil)
			case frame.Time:
				x := int64(frame.NoTime)
				if v != nil {
					x = int64(v.(float64))
				}
				col.Time = append(col.Time, x)
			}
		}
		cols = append(cols, col)
	}
	return frame.New(cols...)
}

func TestAModelOfMLflowAnswersAsPyfuncDoes(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains models and loads MLflow for each")
	}
	cases := mlflowCases(t)
	if os.Getenv("FLYBALL_LONG") == "" {
		few := []string{"logistic", "pipe", "xgbclassifier", "own", "tensor"}
		cases = slices.DeleteFunc(cases, func(c mlflowCase) bool { return !slices.Contains(few, c.Name) })
	}
	h := host(t, Options{Python: pythonOf(t, "mlflow3")})
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { sameAsMLflow(t, h, c, "") })
	}
	alone := host(t, Options{Python: pythonOf(t, "venv")})
	for _, c := range cases {
		if c.Lone {
			t.Run(c.Name+" without MLflow and pandas", func(t *testing.T) { sameAsMLflow(t, alone, c, "sklearn") })
		}
	}
}

func sameAsMLflow(t *testing.T, h *Host, c mlflowCase, flavor string) {
	t.Helper()
	opened, err := h.Open(t.Context(), model.Manifest{Model: c.Name}, c.files(t, flavor))
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*Scorer)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	var wg sync.WaitGroup
	rows := c.rows()
	for range 3 { // of which some share a request
		wg.Go(func() {
			got, err := s.Answer(t.Context(), model.Call{Rows: rows, Body: c.Body, Params: c.Params})
			if err != nil || !sameJSON(t, got, c.Answer) {
				t.Errorf("got  %.500s, %v\nwant %.500s", got, err, c.Answer)
			}
		})
	}
	if c.Scores != nil {
		wg.Go(func() {
			got, err := s.Score(t.Context(), rows)
			if err != nil {
				t.Error(err)
				return
			}
			for i, want := range c.Scores {
				if !reflect.DeepEqual(got.Row(i), want) {
					t.Errorf("row %d: got %v, want %v", i, got.Row(i), want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func sameJSON(t *testing.T, a, b json.RawMessage) bool {
	t.Helper()
	read := func(b []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&v); err != nil && len(b) > 0 {
			t.Error(err)
		}
		return v
	}
	return len(a) > 0 && reflect.DeepEqual(read(a), read(b))
}
