// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/control"
	"flyball/data/dataset"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/prediction"
	"flyball/serving/release"
)

// city is a hotel with thousands of everything.
type city struct{ *hotel }

const thousands = 3000

func (city) Versions(_ context.Context, _ string) ([]registry.Version, error) {
	out := make([]registry.Version, thousands)
	for i := range out {
		out[i] = registry.Version{Ref: ident.Ref{Model: "hotel", Version: thousands - i}, CreatedAt: noon, CreatedBy: "somebody", Cause: "schedule", Snapshot: ids[0]}
	}
	return out, nil
}

func (city) AliasHistory(context.Context, string) ([]registry.Move, error) {
	out := make([]registry.Move, thousands)
	for i := range out {
		out[i] = registry.Move{Model: "hotel", Alias: "live", At: noon, By: "somebody", To: thousands}
	}
	return out, nil
}

func (city) Releases(context.Context, string) ([]release.State, error) {
	out := make([]release.State, thousands)
	for i := range out {
		out[i] = release.State{Model: "hotel", Candidate: i + 1, Phase: release.Succeeded, StartedAt: noon.Add(time.Duration(-i) * time.Hour), Reason: strings.Repeat("why ", 20)}
	}
	return out, nil
}

func (city) Findings(context.Context, string, bool) ([]monitoring.Finding, error) {
	out := make([]monitoring.Finding, thousands)
	for i := range out {
		out[i] = monitoring.Finding{ID: fmt.Sprint(i), Model: "hotel", Kind: monitoring.Drift, Subject: fmt.Sprint("column ", i), Severity: "warn", Opened: noon, Text: strings.Repeat("what ", 20)}
		if i%2 == 0 {
			out[i].Closed = noon
		}
	}
	return out, nil
}

func (city) Snapshots(context.Context, string) ([]control.SnapshotUse, error) {
	out := make([]control.SnapshotUse, thousands)
	for i := range out {
		out[i].Made = dataset.Made{ID: blob.Digest(fmt.Sprintf("%064d", i)), At: noon, Rows: i}
	}
	return out, nil
}

func (city) FindAudit(_ context.Context, _ audit.Query, limit int) ([]audit.Record, error) {
	out := make([]audit.Record, limit)
	for i := range out {
		out[i] = audit.Record{Seq: int64(thousands - i), At: noon, Actor: "somebody", Action: "something", Object: strings.Repeat("o", 500), Why: strings.Repeat("why ", 900), Hash: "h"}
	}
	return out, nil
}

func (city) Scan(_ context.Context, q prediction.Query, do func(prediction.Joined) error) error {
	for i := range min(q.Last, thousands) {
		err := do(prediction.Joined{Record: prediction.Record{ID: ident.PredictionID(fmt.Sprint("p", i)), Model: "hotel", Time: noon.Add(time.Duration(i) * time.Second), Key: strings.Repeat("k", 500), Scores: []float64{0.5}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestNoPageIsOver150KBHoweverMuchThereIs(t *testing.T) {
	site := modelSite(t, city{&hotel{}})
	for _, path := range []string{
		"/", "/audit", "/model?model=hotel&version=3000", "/release?model=hotel", "/monitors?model=hotel", "/data?model=hotel&snapshot=aaaaaaaa",
		"/predictions?model=hotel", "/evidence?model=hotel", "/find?q=hotel@", "/settings",
	} {
		if res, got := get(t, site+path); res.StatusCode != http.StatusOK || len(got) > 150_000 {
			t.Errorf("%s: %s, %d bytes", path, res.Status, len(got))
		}
	}
}

func TestTheScriptAndTheStyleSheetStaySmall(t *testing.T) {
	for name, most := range map[string]int{"static/flyball.js": 8 << 10, "static/style.css": 25 << 10} {
		if b, err := fs.ReadFile(files, name); err != nil || len(b) >= most {
			t.Errorf("%s has %d bytes, of less than %d (%v)", name, len(b), most, err)
		}
	}
}
