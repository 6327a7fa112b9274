// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"bytes"
	"slices"
	"testing"
)

func TestAColumnWithoutValuesAgreesWithEveryKind(t *testing.T) {
	a, err := Inspect(BytesSource("a.csv", []byte("n,s,e,t\n1,x,,2016-05-03\n")), CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Inspect(BytesSource("b.csv", []byte("n,s,e,t\n0x1,2,3,\n")), CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Seen{{Field{"n", Text}, true}, {Field{"s", Text}, true}, {Field{"e", Number}, true}, {Field{"t", Time}, true}}
	for i := range a {
		if got := a[i].And(b[i]); got != want[i] {
			t.Errorf("got %v, want %v", got, want[i])
		}
		if got := b[i].And(a[i]); got != want[i] {
			t.Errorf("the other way round: got %v, want %v", got, want[i])
		}
	}
}

func TestAParquetFileSaysWhatItHoldsInItsDescription(t *testing.T) {
	f := New(NumberColumn("n", []float64{1}), NumberColumn("e", []float64{nan}), TextColumn("s", []string{"x"}, nil))
	var b bytes.Buffer
	w, err := NewParquetWriter(&b, f.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Inspect(BytesSource("a.parquet", b.Bytes()), CSVOptions{})
	want := []Seen{{Field{"n", Number}, true}, {Field{"e", Number}, false}, {Field{"s", Text}, true}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
