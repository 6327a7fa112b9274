// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/examples"
	"flyball/fault"
	"flyball/model/registry"
)

// callMLflow makes a call of MLflow's API that must work.
func callMLflow(t *testing.T, a *App, verb, path, body string) string {
	t.Helper()
	req, err := http.NewRequest(verb, a.URL()+"/api/2.0/mlflow/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s %s: got %d %s, %v", verb, path, body, res.StatusCode, answer, err)
	}
	return string(answer)
}

// A model that only MLflow's clients know is in no table of what Flyball cares for,
// shows its versions and aliases all the same, and keeps them when it is applied.
func TestAModelThatAClientRegisteredAndThatIsAppliedLater(t *testing.T) {
	cfg := config(t)
	cfg.Manual, cfg.Start = true, time.Date(2012, 1, 1, 0, 0, 0, 0, time.UTC)
	a := start(t, cfg)
	c := client.New(a.URL(), "", http.DefaultClient)
	ctx := context.Background()
	for _, call := range []string{
		`registered-models/create {"name":"bike-demand"}`,
		`model-versions/create {"name":"bike-demand","source":"s3://b/1","run_id":"r1","tags":[{"key":"team","value":"x"}]}`,
		`model-versions/create {"name":"bike-demand","source":"s3://b/2"}`,
		`registered-models/alias {"name":"bike-demand","alias":"champion","version":"1"}`,
		`registered-models/alias {"name":"bike-demand","alias":"champion","version":"2"}`,
		`registered-models/create {"name":"Ein Modell"}`,
	} {
		path, body, _ := strings.Cut(call, " ")
		callMLflow(t, a, http.MethodPost, path, body)
	}
	if all, err := c.Statuses(ctx); err != nil || len(all) != 0 {
		t.Errorf("statuses: got %+v, %v; want none", all, err)
	}
	if err := a.loop.Turn(ctx, a.clock.now()); err != nil {
		t.Errorf("the loop: %v", err)
	}
	for name, ask := range map[string]func() error{
		"status":  func() error { _, err := c.Status(ctx, "bike-demand"); return err },
		"file":    func() error { _, err := c.File(ctx, "bike-demand"); return err },
		"retrain": func() error { _, err := c.Change(ctx, "bike-demand", "retrain", ""); return err },
	} {
		if err := ask(); !fault.Is(err, fault.NotFound) || !strings.HasPrefix(err.Error(), "bike-demand is registered and has no model file") {
			t.Errorf("%s: got %v, want that it has no model file", name, err)
		}
	}
	vs, err := c.Versions(ctx, "bike-demand")
	if err != nil || len(vs) != 2 || vs[0].Version != 2 || vs[0].Source != "s3://b/2" || len(vs[0].Aliases) != 1 || vs[1].RunID != "r1" || len(vs[1].Tags) != 1 {
		t.Errorf("versions: got %+v, %v", vs, err)
	}
	if vs, err := c.Versions(ctx, "Ein Modell"); err != nil || len(vs) != 0 {
		t.Errorf("versions of a model without: got %+v, %v", vs, err)
	}
	if _, err := c.Versions(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("versions of no model: got %v", err)
	}
	if _, err := c.AliasHistory(ctx, "nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("aliases of no model: got %v", err)
	}
	moves, err := c.AliasHistory(ctx, "bike-demand")
	if err != nil || len(moves) != 2 || moves[0].From != 1 || moves[0].To != 2 || moves[0].By != "local" || moves[0].Alias != "champion" || !moves[0].At.Equal(cfg.Start) {
		t.Errorf("aliases: got %+v, %v", moves, err)
	}
	res, err := http.Get(a.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the page: got %d, %v", res.StatusCode, err)
	}

	file, err := examples.Bike.ReadFile("bike-demand/model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Apply(ctx, wire.ApplyRequest{Name: "model.yaml", File: string(file), Data: map[string]registry.DataFile{}})
	if err != nil || !got.Changed || got.Generation != 1 {
		t.Fatalf("apply: got %+v, %v", got, err)
	}
	const kept = "bike-demand was registered before: its versions are kept, and none of them answers yet; have one judged by flyball gate bike-demand@2"
	if !slices.Contains(got.Warnings, kept) {
		t.Errorf("warnings: got %q, want among them %q", got.Warnings, kept)
	}
	if vs, err := c.Versions(ctx, "bike-demand"); err != nil || len(vs) != 2 {
		t.Errorf("versions after the file was applied: got %+v, %v", vs, err)
	}
	st, err := c.Status(ctx, "bike-demand")
	if err != nil || st.Live != 0 {
		t.Errorf("status: got %+v, %v; want that none of them is live", st, err)
	}
	if answer := callMLflow(t, a, http.MethodGet, "registered-models/get?name=bike-demand", ""); !strings.Contains(answer, `"aliases":[{"alias":"champion","version":"2"}]`) {
		t.Errorf("got %s, want the alias", answer)
	}
}
