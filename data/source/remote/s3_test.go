// SPDX-License-Identifier: Apache-2.0

package remote_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"flyball/blob/blobtest"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/source"
	"flyball/data/source/remote"
	"flyball/fault"
)

// gateway is the S3 server of these tests.
const gateway = "../../../.cache/bin/versitygw"

func put(t *testing.T, key string, content []byte) {
	t.Helper()
	b, err := remote.BucketOf(t.Context(), "lake")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.WriteAll(t.Context(), key, content, nil), b.Close()); err != nil {
		t.Fatal(err)
	}
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type row struct {
	V float64 `parquet:"v"`
	K string  `parquet:"k"`
}

func table(t *testing.T, rows ...row) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// all are the rows of a source, as text.
func all(t *testing.T, set *source.Set) ([]string, error) {
	t.Helper()
	columns, err := set.Columns(t.Context(), nil)
	if err != nil {
		return nil, err
	}
	r, err := set.Read(t.Context(), columns, nil)
	if err != nil {
		return nil, err
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range f.Rows() {
		var cells []string
		for _, c := range f.Columns() {
			cells = append(cells, c.Format(i))
		}
		out = append(out, strings.Join(cells, " "))
	}
	return out, nil
}

func open(t *testing.T, s *remote.Sources, place string) *source.Set {
	t.Helper()
	set, err := s.Open(t.Context(), dataset.Settings{Source: place})
	if err != nil {
		t.Fatalf("%s: %v", place, err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}

func TestObjectsOfABucketAreASource(t *testing.T) {
	blobtest.S3(t, gateway)
	put(t, "sales/year=2025/a.csv.gz", packed(t, "v,k\n1,x\n2,y\n"))
	put(t, "sales/year=2026/a.parquet", table(t, row{3, "z"}))
	put(t, "sales/year=2026/_SUCCESS", nil)
	put(t, "salesmen/a.csv", []byte("v,k\n9,w\n"))
	s, err := remote.New("s3://lake/sales")
	if err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string][]string{
		"s3://lake/sales/":                    {"1 x 2025", "2 y 2025", "3 z 2026"},
		"s3://lake/sales/year=*/a.*":          {"1 x 2025", "2 y 2025", "3 z 2026"},
		"s3://lake/sales/year=2026/a.parquet": {"3 z"},
		"s3://lake/sales/**/*.csv.gz":         {"1 x 2025", "2 y 2025"},
		"s3://lake/sales/year=2025":           {"1 x", "2 y"},
	} {
		if got, err := all(t, open(t, s, place)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", place, got, err, want)
		}
	}
	for place, want := range map[string]fault.Kind{
		"s3://lake/salesmen/a.csv": fault.Refused, "s3://lake/": fault.Refused, "s3://lake/sales/none.csv": fault.NotFound,
	} {
		if _, err := s.Open(t.Context(), dataset.Settings{Source: place}); !fault.Is(err, want) {
			t.Errorf("%s: got %v, want %v", place, err, want)
		}
	}
}

func TestABucketThatIsNotThereIsSaid(t *testing.T) {
	blobtest.S3(t, gateway)
	if _, err := remote.All().Open(t.Context(), dataset.Settings{Source: "s3://none/a.csv"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v, want not found", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	if _, err := remote.All().Open(t.Context(), dataset.Settings{Source: "s3://lake/a.csv"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestAnObjectThatChangesWhileItIsReadIsAnError(t *testing.T) {
	blobtest.S3(t, gateway)
	var long strings.Builder
	long.WriteString("v,k\n")
	for i := range 200_000 {
		fmt.Fprintf(&long, "%d,x\n", i)
	}
	many := make([]row, 50_000)
	for name, c := range map[string]struct{ old, next []byte }{
		"a.csv":     {[]byte(long.String()), []byte(strings.ReplaceAll(long.String(), "x", "y"))},
		"a.parquet": {table(t, many...), table(t, append(many, row{1, "x"})...)},
	} {
		put(t, name, c.old)
		set := open(t, remote.All(), "s3://lake/"+name)
		columns, err := set.Columns(t.Context(), nil) // as the source was
		if err != nil {
			t.Fatal(err)
		}
		put(t, name, c.next)
		r, err := set.Read(t.Context(), columns, nil)
		if err == nil {
			_, err = frame.ReadAll(r)
		}
		if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want a conflict that names it", name, err)
		}
	}
}
