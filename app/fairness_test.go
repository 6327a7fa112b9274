// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/event"
	"flyball/experiment/evaluation"
	"flyball/experiment/gate"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/training"
)

// secret is a group that only who may see groups may read of.
const secret = "women-of-the-north"

// judgedWithGroups registers hotel@1 with a verdict that tells of groups, as a training
// would, and returns the id of its job.
func judgedWithGroups(t *testing.T, a *App) string {
	t.Helper()
	verdict := gate.Verdict{
		Decision: gate.Harm, Summary: "kept out: fairness selection_ratio by region",
		Reasons: []gate.Reason{
			{Rule: "auc superior", Metric: "auc", Against: "baseline", Decision: gate.Superior, Required: true, Text: "auc 0.81"},
			{Rule: "fairness selection_ratio", Metric: "selection_ratio", Slice: "region", Decision: gate.Harm, Required: true, Text: "0.61 for " + secret},
		},
		Estimates:   []evaluation.Estimate{{Metric: "auc", Role: "candidate", Value: 0.81}, {Metric: "auc", Slice: "region=" + secret, Role: "candidate", Value: 0.7}},
		Differences: []evaluation.Difference{{Metric: "auc", Against: "baseline", Value: 0.1}},
		Groups: []evaluation.GroupTable{{Column: "region", Reference: "south", Groups: []evaluation.GroupRow{
			{Value: "south", Judged: "reference"}, {Value: secret, Judged: evaluation.GroupLower},
		}}},
	}
	report, err := json.Marshal(verdict)
	if err != nil {
		t.Fatal(err)
	}
	v, err := a.store.AddVersion(t.Context(), registry.Version{
		Ref: ident.Ref{Model: "hotel"}, Bundle: blob.Sum([]byte("b")), Verdict: "harm", Report: report, CreatedAt: time.Now(), CreatedBy: "flyball", Key: "k",
	}, event.Event{At: time.Now(), Model: "hotel", Mark: event.Off, Kind: "gate", Text: "v1 " + verdict.Summary})
	if err != nil {
		t.Fatal(err)
	}
	result, err := json.Marshal(training.Result{Version: v.Version, Verdict: verdict})
	if err != nil {
		t.Fatal(err)
	}
	j, err := a.store.AddJob(t.Context(), job.Job{Kind: "told", Key: "hotel/1", Model: "hotel", AddedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	claimed, ok, err := a.store.ClaimJob(t.Context(), []string{"told"}, "test", time.Minute, 1)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := a.store.EndJob(t.Context(), claimed.ID, claimed.Fence, job.Done, result, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	return j.ID
}

// told is what a route answers about hotel@1 and its job.
func told(t *testing.T, a *App, path, token, accept string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body) // a stream goes on until the time is over
	return res.StatusCode, string(raw)
}

func TestNoRouteTellsOfGroupsWithoutThePermission(t *testing.T) {
	a, _, tokens := guarded(t)
	id := judgedWithGroups(t, a)
	names := strings.NewReplacer("{model}", "hotel", "{version}", "1", "{id}", id, "{$}", "")
	answered, withheld := 0, 0
	for _, r := range a.routes.Table() {
		verb, path, _ := strings.Cut(r.Pattern, " ")
		if verb != http.MethodGet || strings.HasSuffix(path, "stream") {
			continue
		}
		path = wildcard.ReplaceAllString(names.Replace(path), "1") + "?model=hotel&version=1&ref=hotel@1&last=100"
		for _, accept := range []string{"application/json", "text/html", "text/markdown"} {
			for _, role := range []string{"viewer", "data-scientist", "ml-engineer", "owner", "admin"} {
				status, text := told(t, a, path, tokens[role], accept)
				if strings.Contains(text, secret) {
					t.Errorf("%s (%s) tells %s of groups", r.Pattern, accept, role)
				}
				if status == http.StatusOK {
					answered++
				}
				if strings.Contains(text, "withheld") || strings.Contains(text, "may not see") {
					withheld++
				}
			}
			if _, text := told(t, a, path, tokens["validator"], accept); strings.Contains(text, "groups is withheld") {
				t.Errorf("%s keeps groups from the validator", r.Pattern)
			}
		}
	}
	if answered < 300 || withheld < 50 {
		t.Errorf("%d answers, %d with something withheld: the test asks too little", answered, withheld)
	}
	for _, path := range []string{
		"/v1/models/hotel/versions", "/v1/models/hotel/versions/1/gate", "/v1/models/hotel/versions/1/gate?format=html", "/v1/models/hotel/jobs", "/v1/jobs/" + id,
		"/model?model=hotel&version=1",
	} {
		if status, text := told(t, a, path, tokens["validator"], "application/json"); !strings.Contains(text, secret) {
			t.Errorf("%s does not tell the validator: %d %.300s", path, status, text)
		}
	}
}
