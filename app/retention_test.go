// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/governance/retention"
	"flyball/unit"
)

func TestWhatIsRemovedDailyBeginsAnHourAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 73*time.Hour)
		defer stop()
		var at []time.Duration
		daily(ctx, func() { at = append(at, time.Since(began)) })
		if want := []time.Duration{time.Hour, 25 * time.Hour, 49 * time.Hour}; !slices.Equal(at[:min(3, len(at))], want) || len(at) > 4 {
			t.Errorf("got %v, want %v", at, want)
		}
	})
}

// onDisk is how many files below dir hold text.
func onDisk(t *testing.T, dir, text string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), text) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// send sends a request in MLflow's API and returns its answer.
func send(t *testing.T, verb, url, kind, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), verb, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestARunThatIsDeletedAndCollectedLeavesNoBytes(t *testing.T) {
	cfg := config(t)
	cfg.Quota = 1000
	a := start(t, cfg)
	blobs := filepath.Join(cfg.Data, "blobs")
	const call, files = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts"
	var made struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			}
		}
	}
	_, answer := send(t, "POST", a.URL()+call+"runs/create", "application/json", `{"experiment_id":"0"}`)
	if err := json.Unmarshal([]byte(answer), &made); err != nil || made.Run.Info.ID == "" {
		t.Fatalf("got %s", answer)
	}
	root := a.URL() + files + "/0/" + made.Run.Info.ID + "/artifacts/"
	if status, body := send(t, "PUT", root+"a.txt", "text/plain", "the bytes of a run"); status != 200 || onDisk(t, blobs, "the bytes of a run") != 1 {
		t.Fatalf("got %d %s", status, body)
	}
	if status, body := send(t, "PUT", root+"b.txt", "text/plain", strings.Repeat("x", 990)); status != 413 {
		t.Errorf("beyond the quota: got %d %s, want 413", status, body)
	}
	if status, _ := send(t, "PUT", a.URL()+files+"/0/../../x", "text/plain", "x"); status != 400 {
		t.Errorf("a path that climbs: got %d, want 400", status)
	}
	if status, body := send(t, "POST", a.URL()+call+"runs/delete", "application/json", `{"run_id":"`+made.Run.Info.ID+`"}`); status != 200 {
		t.Fatalf("got %d %s", status, body)
	}

	c := client.New(a.URL(), "", http.DefaultClient)
	collect := func(in wire.CollectRequest) retention.Result {
		t.Helper()
		r, err := c.Collect(t.Context(), in, func(retention.Step) {})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	now := unit.Duration(0)
	if r := collect(wire.CollectRequest{}); r.Runs != 0 || r.Kept.Number != 1 {
		t.Errorf("a run that was deleted just now: got %+v", r)
	}
	for _, want := range []struct {
		in   wire.CollectRequest
		left int
	}{{wire.CollectRequest{OlderThan: &now, Grace: &now, DryRun: true}, 1}, {wire.CollectRequest{OlderThan: &now, Grace: &now}, 0}} {
		r := collect(want.in)
		if r.Runs != 1 || r.Blobs != (retention.Count{Number: 1, Bytes: 18}) || onDisk(t, blobs, "the bytes of a run") != want.left {
			t.Errorf("dry %v: got %+v, and %d files", want.in.DryRun, r, onDisk(t, blobs, "the bytes of a run"))
		}
	}
	if status, _ := send(t, "GET", root+"a.txt", "", ""); status != 404 {
		t.Errorf("its file: got %d, want 404", status)
	}
	recs, err := c.Audit(t.Context(), 0, 100)
	if err != nil || len(recs) != 2 || recs[0].Action != "collect" || recs[1].Action != "collected" || recs[1].Actor != "local" {
		t.Errorf("the audit: got %+v, %v", recs, err)
	}
	if status, body := send(t, "POST", a.URL()+"/v1/gc", "application/json", `{"older_than":"soon"}`); status != 400 {
		t.Errorf("got %d %s, want 400", status, body)
	}
}
