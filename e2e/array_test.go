// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"flyball/data/frame"
	"flyball/e2e/engines"
)

// array is how an engine scores a table by many tasks, as docs/serving.md says it.
type array struct {
	has   string                                                // what its part of the document has, and no other
	sizes []string                                              // what the document says of the size of its cluster, and what ours has
	run   func(t *testing.T, task string, environment []string) // to its end
}

// scores has the tasks of the document, with our paths and fewer of them, score a table
// while one of them is killed, and then all again; the result is held to the bits of online
// and of one task alone.
func (a array) scores(t *testing.T, s *server, hours []hour) {
	t.Helper()
	lake := t.TempDir()
	rows := a.fill(t, lake, hours)
	task := a.task(t, append(a.sizes, "50", "4", "bikes@7", "bike-demand@1", "/lake", lake)...)
	environment := []string{"FLYBALL_URL=" + s.url, "FLYBALL_TOKEN="}

	// The server is held up, so that no task is done before it is seen.
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	enough, killed := make(chan struct{}), make(chan int, 1)
	go func() {
		killed <- catch(enough, syscall.SIGKILL, lake, "\x00--shard\x001/4\x00")
		_ = s.cmd.Process.Signal(syscall.SIGCONT)
	}()
	a.run(t, task, environment)
	close(enough)
	if <-killed == 0 {
		t.Error("no task was killed")
	}
	before := written(t, lake)
	t.Logf("with one task killed, %d of 4 shards are there", len(before))
	a.run(t, task, environment)
	after := written(t, lake)
	for name, at := range before {
		if !after[name].Equal(at) {
			t.Errorf("%s was there and was written again", name)
		}
	}
	if len(after) != 4 {
		t.Fatalf("got the shards %v, want four", after)
	}

	alone := filepath.Join(lake, "alone.parquet")
	command{args: "predict bike-demand@1 --in " + lake + "/day=*/rows.parquet --out " + alone, says: fmt.Sprint(len(hours))}.check(t, s.url)
	online, err := s.Predict(t.Context(), bike, rows)
	if err != nil {
		t.Fatal(err)
	}
	one, many := valuesOf(t, alone), map[string]uint64{}
	for name := range after {
		maps.Copy(many, valuesOf(t, name))
	}
	for _, p := range online.Predictions {
		if bits := math.Float64bits(*p.Value); many[p.Key] != bits || one[p.Key] != bits {
			t.Fatalf("%s: %x by tasks, %x by one alone, %x online", p.Key, many[p.Key], one[p.Key], bits)
		}
	}
	if len(many) != len(hours) || len(one) != len(hours) {
		t.Errorf("got %d and %d scores of %d hours", len(many), len(one), len(hours))
	}
}

// fill writes six files of hours below the folder, and gives them as rows for the API.
func (a array) fill(t *testing.T, lake string, hours []hour) (rows []json.RawMessage) {
	t.Helper()
	const files = 6
	for i := range files {
		mine := hours[i*len(hours)/files : (i+1)*len(hours)/files]
		keys, cols := make([]string, len(mine)), make([][]float64, len(inputs))
		for k, h := range mine {
			keys[k] = h.key()
			rows = append(rows, h.row(nil))
			for c, name := range inputs {
				x, ok := h.num[name]
				if !ok {
					x = math.NaN()
				}
				cols[c] = append(cols[c], x)
			}
		}
		table := []frame.Column{frame.TextColumn("ts", keys, nil)}
		for c, name := range inputs {
			table = append(table, frame.NumberColumn(name, cols[c]))
		}
		f := frame.New(table...)
		dir := filepath.Join(lake, fmt.Sprintf("day=%d", i))
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(dir, "rows.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := frame.NewParquetWriter(out, f.Fields())
		if err == nil {
			err = errors.Join(w.Write(f), w.Close())
		}
		if err = errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// task is what the document gives to copy, with each second word for the one before.
func (a array) task(t *testing.T, words ...string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/serving.md")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(page), "\n```") {
		_, block, _ = strings.Cut(block, "\n")
		if !strings.Contains(block, a.has) {
			continue
		}
		for i := 0; i < len(words); i += 2 {
			if !strings.Contains(block, words[i]) {
				t.Fatalf("docs/serving.md has no %q in %s", words[i], block)
			}
			block = strings.ReplaceAll(block, words[i], words[i+1])
		}
		return block
	}
	t.Fatalf("docs/serving.md has nothing to copy with %q", a.has)
	return ""
}

// written is the shards that are there, and since when.
func written(t *testing.T, lake string) map[string]time.Time {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(lake, "scores", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = info.ModTime()
	}
	return out
}

// valuesOf is the bits of the scores of a file by their keys.
func valuesOf(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	keys, values := scored(t, path)
	out := map[string]uint64{}
	for i, key := range keys {
		out[key] = math.Float64bits(values[i])
	}
	return out
}

// types runs what a person types into a shell, where flyball is a command, in a folder of
// its own.
func types(t *testing.T, text string, environment []string) (dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", text)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", text, err, out)
	}
	return cmd.Dir
}

func slurmArray() array {
	return array{has: "sbatch", sizes: []string{"-c 4", "-c 1", "0-49%8", "0-3%8"}, run: func(t *testing.T, task string, environment []string) {
		t.Helper()
		dir := types(t, task, environment)
		waitFor(t, "the array", func() bool {
			out, err := exec.CommandContext(t.Context(), "squeue", "-h").CombinedOutput()
			if err != nil {
				t.Fatal(err, string(out))
			}
			return len(out) == 0
		})
		said, _ := filepath.Glob(filepath.Join(dir, "slurm-*.out"))
		for _, name := range said {
			if raw, err := os.ReadFile(name); err != nil || len(raw) > 0 {
				t.Logf("%s: %s, %v", filepath.Base(name), raw, err)
			}
		}
	}}
}

// kubernetesArray runs the Job, and makes what it names: a Secret, and a volume, which
// nodes that are processes do not mount.
func kubernetesArray(k *engines.Kubernetes) array {
	return array{has: "kind: Job", sizes: []string{"cpu: 4", "cpu: 1"}, run: func(t *testing.T, task string, environment []string) {
		t.Helper()
		post := func(path, body string) {
			t.Helper()
			if said := string(k.Do(http.MethodPost, path, body)); strings.Contains(said, `"Failure"`) && !strings.Contains(said, `"AlreadyExists"`) {
				t.Fatal(said)
			}
		}
		const core, jobs = "/api/v1/namespaces/default/", "/apis/batch/v1/namespaces/default/jobs"
		secret := map[string]string{}
		for _, e := range environment {
			name, value, _ := strings.Cut(e, "=")
			secret[name] = value
		}
		data, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		post(core+"secrets", `{"metadata":{"name":"flyball"},"stringData":`+string(data)+`}`)
		size := `"accessModes":["ReadWriteMany"],"storageClassName":"",`
		post("/api/v1/persistentvolumes", `{"metadata":{"name":"lake"},"spec":{`+size+`"capacity":{"storage":"1Gi"},"hostPath":{"path":"/"},"claimRef":{"namespace":"default","name":"lake"}}}`)
		post(core+"persistentvolumeclaims", `{"metadata":{"name":"lake","annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{`+size+`"resources":{"requests":{"storage":"1Gi"}},"volumeName":"lake"}}`)
		for _, path := range []string{"/api/v1/persistentvolumes/lake/status", core + "persistentvolumeclaims/lake/status"} {
			k.Do(http.MethodPatch, path, `{"status":{"phase":"Bound"}}`)
		}
		body, err := yaml.YAMLToJSON([]byte(task))
		if err != nil {
			t.Fatal(err)
		}
		k.Do(http.MethodDelete, jobs+"/score-bikes?propagationPolicy=Background", "")
		waitFor(t, "the Job before to go", func() bool {
			return strings.Contains(string(k.Do(http.MethodGet, jobs+"/score-bikes", "")), "NotFound")
		})
		post(jobs+"?fieldValidation=Strict", string(body))
		waitFor(t, "the Job", func() bool {
			var job struct {
				Status struct {
					Conditions []struct{ Type, Status, Message string }
				}
			}
			if err := json.Unmarshal(k.Do(http.MethodGet, jobs+"/score-bikes", ""), &job); err != nil {
				t.Fatal(err)
			}
			for _, c := range job.Status.Conditions {
				if c.Type == "Failed" {
					t.Fatal(c.Message)
				}
				if c.Type == "Complete" && c.Status == "True" {
					return true
				}
			}
			return false
		})
	}}
}

func rayArray(r *engines.Ray) array {
	return array{has: "ray job submit", sizes: []string{"num_cpus=4", "num_cpus=1"}, run: func(t *testing.T, task string, environment []string) {
		t.Helper()
		types(t, task, append(environment, r.Env...))
	}}
}
