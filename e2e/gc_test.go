// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/governance/retention"
)

// track sends a request in MLflow's API, as its clients do.
func track(t *testing.T, verb, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), verb, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if verb == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s, %v", verb, url, res.Status, raw, err)
	}
	return string(raw)
}

// bytesOf is what lies in a folder of blobs: text → how often. A blob that is removed
// while it looks is none.
func bytesOf(t *testing.T, dir string) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		out[string(raw)]++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestACollectionWhoseServerIsKilledGoesOn deletes runs, kills the server while it
// removes them, and collects again: what was deleted is gone from the disk, and what
// was not is there.
func TestACollectionWhoseServerIsKilledGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	const files = "/api/2.0/mlflow-artifacts/artifacts/"
	kept := map[string]string{} // path → text
	for i := range sized(30, 300) {
		var made struct {
			Run struct {
				Info struct {
					ID string `json:"run_id"`
				}
			}
		}
		answer := track(t, http.MethodPost, s.url+"/api/2.0/mlflow/runs/create", `{"experiment_id":"0"}`)
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			t.Fatal(err)
		}
		id := made.Run.Info.ID
		for name, text := range map[string]string{"own": "own bytes of " + fmt.Sprint(i), "shared": fmt.Sprint("bytes of several runs ", i/2)} {
			path := "0/" + id + "/artifacts/" + name
			track(t, http.MethodPut, s.url+files+path, text)
			if i%3 == 0 {
				kept[path] = text
			}
		}
		if i%3 != 0 {
			track(t, http.MethodPost, s.url+"/api/2.0/mlflow/runs/delete", `{"run_id":"`+id+`"}`)
		}
	}
	blobs := filepath.Join(dir, "blobs")
	before := bytesOf(t, blobs)

	dry := run(t, s.url, "", "gc", "--older-than", "0s", "--grace", "0s", "--dry-run", "-o", "json")
	var plan retention.Result
	if err := json.Unmarshal([]byte(dry.out), &plan); err != nil || dry.code != 0 || plan.Runs != sized(20, 200) || plan.Blobs.Number == 0 {
		t.Fatalf("exit %d: %s%s", dry.code, dry.out, dry.stderr)
	}
	if after := bytesOf(t, blobs); len(after) != len(before) {
		t.Errorf("a dry run left %d blobs of %d", len(after), len(before))
	}
	if got := run(t, s.url, "", "gc"); got.code != 0 || !strings.Contains(got.out, "runs") || len(bytesOf(t, blobs)) != len(before) {
		t.Errorf("runs that were deleted today are removed: exit %d: %s%s", got.code, got.out, got.stderr)
	}

	done := make(chan result, 1)
	go func() { done <- run(t, s.url, "", "gc", "--older-than", "0s", "--grace", "0s") }()
	for len(bytesOf(t, blobs)) == len(before) { // until it has begun to delete, or has done so
		if _, err := os.Stat(blobs); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-done:
			done <- got
		default:
			continue
		}
		break
	}
	s.kill()
	if got := <-done; got.code != 0 && got.code != exitCut && got.code != exitAway {
		t.Errorf("the command whose server was killed: exit %d: %s%s", got.code, got.out, got.stderr)
	}

	s = start(t, dir)
	if got := run(t, s.url, "", "gc", "--older-than", "0s", "--grace", "0s"); got.code != 0 {
		t.Fatalf("exit %d: %s%s", got.code, got.out, got.stderr)
	}
	want := map[string]bool{}
	for path, text := range kept {
		want[text] = true
		if got := track(t, http.MethodGet, s.url+files+path, ""); got != text {
			t.Errorf("%s: got %q, want %q", path, got, text)
		}
	}
	for text, n := range bytesOf(t, blobs) {
		if !want[text] || n != 1 {
			t.Errorf("%q is still on the disk, %d times", text, n)
		}
	}
	if got := run(t, s.url, "", "audit", "--verify"); got.code != 0 {
		t.Errorf("the audit chain: exit %d: %s%s", got.code, got.out, got.stderr)
	}
}

// How a command ends whose server is killed: cut off, or not reached any more.
const (
	exitCut  = 1
	exitAway = 7
)
