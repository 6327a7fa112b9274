// SPDX-License-Identifier: Apache-2.0

package source_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flyball/data/frame"
	"flyball/data/source"
)

// folder writes files and gives them as a source.
func folder(t *testing.T, files ...string) *source.Set {
	t.Helper()
	set := &source.Set{}
	for i := 0; i < len(files); i += 2 {
		set.Parts = append(set.Parts, source.File(files[i], frame.BytesSource(files[i], []byte(files[i+1])), frame.CSVOptions{}))
	}
	return set
}

func TestFoldersGiveColumns(t *testing.T) {
	set := folder(t, "year=2025/kind=a%3A/x.csv", "v\n1\n2\n", "year=2026/kind=__HIVE_DEFAULT_PARTITION__/x.csv", "v\n3\n")
	columns, err := set.Columns(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []frame.Field{{Name: "v", Kind: frame.Number}, {Name: "year", Kind: frame.Number}, {Name: "kind", Kind: frame.Text}}
	if !slices.Equal(columns, want) {
		t.Fatalf("got %v, want %v", columns, want)
	}
	r, err := set.Read(t.Context(), columns, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range f.Rows() {
		got = append(got, f.Column("v").Format(i)+" "+f.Column("year").Format(i)+" "+f.Column("kind").Format(i))
	}
	if want := []string{"1 2025 a:", "2 2025 a:", "3 2026 "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDataIsHeldToTheColumnsThatWerePinned(t *testing.T) {
	pins := []frame.Field{{Name: "a", Kind: frame.Number}, {Name: "b", Kind: frame.Text}}
	for _, c := range []struct{ name, file, want, warning string }{
		{"another order", "b,a\nx,1\n", "", ""},
		{"a value of another kind", "a,b\n1,x\nmany,y\n", `"many"`, ""},
		{"a column less", "a\n1\n", `does not have the column "b"`, ""},
		{"a column more", "a,b,c\n1,x,2\n", "", `column "c"`},
	} {
		var warned []string
		r, err := folder(t, "new.csv", c.file).Read(t.Context(), pins, func(s string) { warned = append(warned, s) })
		if err != nil {
			t.Fatal(err)
		}
		f, err := frame.ReadAll(r)
		switch {
		case c.want == "" && (err != nil || !slices.Equal(f.Fields(), pins)):
			t.Errorf("%s: got %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "new.csv")):
			t.Errorf("%s: got %v, want new.csv and %s", c.name, err, c.want)
		case (c.warning != "") != (len(warned) == 1) || c.warning != "" && !strings.Contains(warned[0], c.warning):
			t.Errorf("%s: warned %q, want %q", c.name, warned, c.warning)
		}
	}
}

func TestFilesOfDifferentColumnsAreNoSource(t *testing.T) {
	_, err := folder(t, "a.csv", "x,y\n1,2\n", "b.csv", "x\n1\n").Columns(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), `b.csv does not have the column "y", which a.csv has`) {
		t.Errorf("got %v", err)
	}
}

func TestASourceNamesFilesPatternsAndFolders(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.csv", "b.csv.gz", "note.md", "_SUCCESS", "in/c.parquet", "in/deep/d.csv", ".hidden/e.csv"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for place, want := range map[string]string{
		"a.csv": "a.csv", "*.csv": "a.csv", "": "a.csv b.csv.gz in/c.parquet in/deep/d.csv", "i*": "in/c.parquet in/deep/d.csv",
		"in/**/*.csv": "deep/d.csv", "none": "", "*.txt": "", "note.md": "note.md",
	} {
		files, err := source.Files(dir + "/" + place)
		var got []string
		for name := range files {
			got = append(got, name)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %v, %v; want %s", place, got, err, want)
		}
	}
}
