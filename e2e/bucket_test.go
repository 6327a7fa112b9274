// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob/blobtest"
)

// TestAModelTrainsOnABucketAndAgainOnTheFilesThatCame has S3 for its source.
func TestAModelTrainsOnABucketAndAgainOnTheFilesThatCame(t *testing.T) {
	bucket := blobtest.S3(t, versitygw)
	past, coming := history(t)
	lines := plain(t, past[len(past)-150*24:])
	write := func(name string, lines []string) {
		t.Helper()
		path := filepath.Join(bucket, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("bikes/part=1/a.csv", lines[:3000])
	write("other/a.csv", lines[:3])
	model := filepath.Join(t.TempDir(), "model.yaml")
	file := func(source string) {
		t.Helper()
		text := modelFile(t, append(byHand, [2]string{"bikes_2011.csv.gz", source})...)
		if err := os.WriteFile(model, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, t.TempDir(), "--source", "s3://lake/bikes")
	check := func(c command) {
		t.Helper()
		c.check(t, s.url)
	}
	file("s3://lake/other/a.csv")
	if got := run(t, s.url, "", "apply", model); got.code != 3 || !strings.Contains(got.stderr, "flyball serve --source s3://lake") {
		t.Errorf("what the server may not read: exit %d: %s", got.code, got.stderr)
	}
	file("s3://lake/bikes/")
	check(command{args: "apply " + model, says: "bike-demand applied"})
	rows := func(n int, at time.Time) {
		t.Helper()
		if err := s.Advance(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		check(command{args: "data list " + bike, says: fmt.Sprint(n)})
	}
	rows(2999, coming[0].at)
	check(command{args: "data show " + bike, says: "part"})

	write("bikes/part=2/a.csv", append(lines[:1:1], lines[3000:]...))
	check(command{args: "retrain " + bike + " --why a,file,came", says: "begins"})
	rows(len(lines)-1, coming[1].at)
	check(command{args: "versions", says: "bike-demand@2"})

	// A table in the bucket is scored as one here is, and by the tasks of an array.
	asked(t, filepath.Join(bucket, "rows-1.csv"), coming[:200], 1)
	asked(t, filepath.Join(bucket, "rows-2.csv"), coming[200:300], 1)
	out := t.TempDir()
	check(command{args: "predict bike-demand@1 --in " + bucket + "/rows-*.csv --out " + out + "/here.parquet", says: "300"})
	check(command{args: "predict bike-demand@1 --in s3://lake/rows-*.csv --out " + out + "/there.parquet", says: "300"})
	check(command{args: "predict bike-demand@1 --in s3://lake/rows-*.csv --out " + out + "/ --shard 1/2", says: "100"})
	check(command{args: "predict bike-demand@1 --in s3://lake/none.csv --out x.csv", code: 5, says: "s3://lake/none.csv"})
	_, here := scored(t, out+"/here.parquet")
	_, there := scored(t, out+"/there.parquet")
	_, second := scored(t, out+"/shard-00001-of-00002.parquet")
	if !slices.Equal(here, there) || !slices.Equal(here[200:], second) {
		t.Error("a table in a bucket has other scores")
	}

	// A version is made again from its snapshot, whatever the bucket holds by now.
	if err := os.RemoveAll(filepath.Join(bucket, "bikes")); err != nil {
		t.Fatal(err)
	}
	check(command{args: "reproduce bike-demand@1", says: "bike-demand@1: R3"})
	check(command{args: "apply " + model + " --repin", code: 5, says: "s3://lake/bikes"})
}
