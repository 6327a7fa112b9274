// SPDX-License-Identifier: Apache-2.0

package export

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
)

// table writes the rows in chunks of so many.
func table(t *testing.T, f *pipeline.Fitted, rows *frame.Frame, chunk int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewTable(&b, f.Names(), []frame.Field{{Name: "city", Kind: frame.Text}, {Name: "seen", Kind: frame.Time}})
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < rows.Rows(); from += chunk {
		part := rows.Slice(from, min(from+chunk, rows.Rows()))
		m, _, err := f.Transform(part)
		if err != nil {
			t.Fatal(err)
		}
		beside, err := part.Select("city", "seen")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(m, beside); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestATableHoldsTheFeaturesInTheirOrderAndBits(t *testing.T) {
	f, err := pipeline.Fit(t.Context(), everything(), randomRows(2, 2000), pipeline.Options{Target: classes(2000, 2), Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	rows := randomRows(3, 9000)
	raw := table(t, f, rows, 9000)
	if !bytes.Equal(raw, table(t, f, rows, 777)) {
		t.Error("another chunking gives other bytes")
	}
	file, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range file.Root().Columns() {
		names = append(names, c.Name())
	}
	if want := append(slices.Clone(f.Names()), "city", "seen"); !slices.Equal(names, want) {
		t.Errorf("the file's columns are %q", names)
	}
	m, _, err := f.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	in, err := frame.OpenParquet("features.parquet", bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for at < m.Rows {
		got, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		for k, name := range m.Names {
			for i, x := range got.Column(name).Num {
				if want := m.Row(at + i)[k]; math.Float32bits(float32(x)) != math.Float32bits(want) {
					t.Fatalf("row %d, %s: %v, not %v", at+i, name, x, want)
				}
			}
		}
		at += got.Rows()
	}
}

func TestAColumnBesideMayNotHaveTheNameOfAFeature(t *testing.T) {
	_, err := NewTable(&bytes.Buffer{}, []string{"x"}, []frame.Field{{Name: "x", Kind: frame.Number}})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `"x" stands twice`) {
		t.Errorf("the error is %v", err)
	}
}
