// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shared is the bike model with its pipeline in a file of its own.
func shared(t *testing.T, dir, name string) string {
	t.Helper()
	file := modelFile(t, byHand...)
	from := strings.Index(file, "pipeline:\n")
	to := strings.Index(file, "train:\n  with:")
	if from < 0 || to < from {
		t.Fatal("the example has no pipeline in place")
	}
	file = strings.Replace(file[:from]+"pipeline: hours\n\n"+file[to:], "name: "+bike, "name: "+name, 1)
	path := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const hours = `apiVersion: flyball/v1
kind: Pipeline
name: hours
inputs: {hr: number, workingday: number, temp: number, lag24: number, lag168: number}
steps:
  - {op: clip, in: temp, min: 0, max: 1}
`

func TestOnePipelineFileFeedsTwoModelsInTrainingAndOnline(t *testing.T) {
	past, coming := history(t)
	past = past[len(past)-150*24:]
	h := coming[0]
	dir := folder(t, past)
	file := filepath.Join(dir, "hours.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(hours)
	one, two := shared(t, dir, "one"), shared(t, dir, "two")
	s := start(t, t.TempDir())
	check := func(all ...command) {
		t.Helper()
		for _, c := range all {
			c.check(t, s.url)
		}
	}
	check(
		command{args: "pipelines", says: "PIPELINE"},
		command{args: "pipelines list hours", code: 5, says: "no pipeline hours"},
		command{args: "apply " + one, says: "one applied"},
		command{args: "apply " + two, says: "two applied"},
		command{args: "pipelines", says: "one, two"},
		command{args: "pipelines show hours@1", says: hours},
		command{args: "diff " + file, says: ""},
		command{args: "apply " + file, says: "hours@1 unchanged"},
	)
	advance := func() {
		t.Helper()
		if err := s.Advance(t.Context(), h.at); err != nil {
			t.Fatal(err)
		}
	}
	advance()
	check(
		command{args: "predict one", stdin: string(h.row(nil)), says: h.key()},
		command{args: "predict two", stdin: string(h.row(nil)), says: h.key()},
		command{args: "predict two", stdin: string(h.row(map[string]any{"lag24": absent})), code: 1, says: `"lag24"`},
		// The pipeline does not read hum: a request need not carry it, whatever the model was before.
		command{args: "predict one", stdin: string(coming[1].row(map[string]any{"hum": absent})), says: coming[1].key()},
	)

	write(strings.Replace(hours, "max: 1}", "max: 0.9}\n  - {op: bucketize, in: hr, bins: 4, strategy: quantile}", 1))
	check(
		command{args: "diff " + file, code: 3, says: "~ step clip of temp: max 0.9, was 1\n+ step bucketize of hr (bins 4; strategy quantile)\n" +
			"for one, which has version 1:\n  ~ step clip of temp: max 0.9, was 1"},
		command{args: "apply " + file + " --dry-run", says: "hours@2 would change"},
		command{args: "apply " + file, says: "hours@2 applied"},
		command{args: "pipelines -o name", says: "hours@2\n"},
		command{args: "pipelines diff hours@1", code: 3, says: "+ step bucketize of hr"},
		command{args: "pipelines diff hours@2 hours@2", says: ""},
		command{args: "events one", says: "pipeline hours applied"},
		command{args: "predict one", stdin: string(coming[2].row(nil)), says: coming[2].key()},
		command{args: "retrain one --why another,pipeline", says: "begins"},
	)
	if got := run(t, s.url, "", "pipelines", "diff", "hours@1"); !strings.Contains(got.stderr, "hours@2 is that of one, two") {
		t.Errorf("the models of a difference: %s", got.stderr)
	}
	advance()
	check(
		command{args: "versions one", says: "one@2"},
		command{args: "promote one", says: "v2"},
		command{args: "promote one", says: "v2"},
		command{args: "predict one", stdin: string(coming[3].row(nil)), says: coming[3].key()},
		command{args: "versions two", says: "two@1"},
	)

	// A pipeline that one of its models cannot use is refused for all.
	write(strings.Replace(hours, "lag24: number", "cnt: number", 1))
	got := run(t, s.url, "", "apply", file)
	for _, model := range []string{"one", "two"} {
		if want := ": pipeline.inputs: cnt is what the model predicts"; got.code != 1 || !strings.Contains(got.stderr, model+":") || strings.Count(got.stderr, want) != 2 {
			t.Errorf("exit %d, want 1 with %s and %q twice:\n%s", got.code, model, want, got.stderr)
		}
	}
	check(command{args: "pipelines -o name", says: "hours@2\n"})
}
