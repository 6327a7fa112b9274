// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everyType is what testdata/logical.py writes: name, kind and the first row's value.
const everyType = `bool number 1
int8 number -8
int64 number 9.007199254740992e+15
int64_large text 9007199254740993
uint32 number 4.294967295e+09
uint64_large text 18446744073709551615
float16 number -0.5
float32 number 0.25
float64 number 0.1
decimal32 number -1.25
decimal128 number 1.2345678901234567e+19
decimal256 number -0.1
date32 time 2016-05-03T00:00:00Z
date64 time 1969-12-31T00:00:00Z
time_ms number 50405.25
time_us number 1.000001
time_ns number 1.5
stamp_s time 2016-05-03T14:00:05Z
stamp_ms time 2016-05-03T14:00:05.123Z
stamp_us time 2016-05-03T14:00:05.123456Z
stamp_ns time 1969-12-31T23:59:59.999999Z
stamp_zone time 2016-05-03T14:00:05.123456Z
string text é
large_string text a
binary text b
dictionary text x
uuid text 00000000-0000-0000-0000-000000000001
json text [1]
null number 
group.field number 1.5
`

func TestEveryTypeThatPyArrowWritesIsRead(t *testing.T) {
	python := "../../.cache/data/bin/python"
	if _, err := exec.LookPath(python); err != nil || testing.Short() {
		t.Skip("no Python with pyarrow: run scripts/setup.sh, which makes .cache/data")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), python, "testdata/logical.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	names, err := Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(names) != 12 {
		t.Fatalf("got %v, %v", names, err)
	}
	for _, name := range names {
		r, err := OpenFile(name, CSVOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, c := range rows.Columns() {
			fmt.Fprintf(&got, "%s %s %s\n", c.Name, c.Kind, c.Format(0))
			if !c.Missing(1) {
				t.Errorf("%s: %s: row 2 is not missing", name, c.Name)
			}
		}
		if got.String() != everyType {
			t.Errorf("%s: got\n%s", name, got.String())
		}
	}
}
