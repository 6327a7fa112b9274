// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
)

func expired(t *testing.T, open Open) {
	db, raw := open(t)
	ctx := t.Context()
	e := must(db.CreateExperiment(ctx, experiment.Experiment{Name: "old"}))(t)
	for _, id := range []ident.RunID{"r1", "r2", "r3"} {
		check(t, db.CreateRun(ctx, experiment.Run{ID: id, Experiment: e.ID, Location: "mlflow-artifacts:/" + e.ID.String() + "/" + string(id) + "/artifacts"}))
	}
	check(t, db.CreateLoggedModel(ctx, experiment.LoggedModel{ID: "m-1", Experiment: e.ID, Location: "l"}))
	list := func(before int64) []retention.Expired {
		t.Helper()
		var out []retention.Expired
		for x, err := range db.Expired(ctx, before) {
			check(t, err)
			out = append(out, x)
		}
		return out
	}
	root := e.ID.String() + "/r1"
	r1 := retention.Expired{Kind: retention.Run, ID: "r1", Location: "mlflow-artifacts:/" + root + "/artifacts"}
	check(t, db.SetRunDeleted(ctx, "r1", true, 100))
	equal(t, "before it was deleted", len(list(100)), 0)
	equal(t, "a run", list(101), []retention.Expired{r1})

	r1.Root = root
	putFile(t, db, root+"/artifacts/a", "a")
	r2 := retention.Expired{Kind: retention.Run, ID: "r2", Root: e.ID.String() + "/r2"}
	wants(t, db.DropArtifacts(ctx, r2), fault.Refused)
	wants(t, db.Purge(ctx, r2), fault.Refused)
	wants(t, db.DropArtifacts(ctx, retention.Expired{Kind: retention.Run, ID: "r1"}), fault.Refused) // no folder of its own
	v := must(db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, Location: r1.Location + "/model", CreatedAt: noon}))(t)
	wants(t, db.DropArtifacts(ctx, r1), fault.Refused)
	equal(t, "files after what was refused", paths(t, db), root+"/artifacts/a")
	equal(t, "the version's files", v.Location, r1.Location+"/model")
	_ = must(raw.Exec(`DELETE FROM versions`))(t)
	for range 2 {
		check(t, db.DropArtifacts(ctx, r1))
		check(t, db.Purge(ctx, r1))
	}
	equal(t, "files afterwards", paths(t, db), "")

	check(t, db.SetExperimentDeleted(ctx, e.ID, true, 200))
	whole := retention.Expired{Kind: retention.Experiment, ID: e.ID.String(), Location: e.Location}
	equal(t, "all of an experiment", list(201), []retention.Expired{
		{Kind: retention.Run, ID: "r2", Location: "mlflow-artifacts:/" + e.ID.String() + "/r2/artifacts"},
		{Kind: retention.Run, ID: "r3", Location: "mlflow-artifacts:/" + e.ID.String() + "/r3/artifacts"},
		{Kind: retention.LoggedModel, ID: "m-1", Location: "l"},
		whole,
	})
	for range list(201) {
		break // who has seen enough may stop
	}
	whole.Root = e.ID.String()
	wants(t, db.DropArtifacts(ctx, whole), fault.Refused)
	for _, x := range list(201) {
		check(t, db.Purge(ctx, x))
	}
	check(t, db.DropArtifacts(ctx, whole))
	equal(t, "afterwards", len(list(1<<60)), 0)
	wants(t, db.Purge(ctx, retention.Expired{Kind: retention.Experiment, ID: "x"}), fault.Invalid)
	wants(t, db.DropArtifacts(ctx, retention.Expired{Kind: "planet", ID: "x", Root: "x"}), fault.Invalid)
}

func documents(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	d := func(name string) string { return string(blob.Sum([]byte(name))) }
	_ = must(db.AddVersion(ctx, registry.Version{
		Ref: ident.Ref{Model: "hotel"}, Bundle: blob.Digest(d("bundle")), Judged: blob.Digest(d("judged")), Snapshot: blob.Digest(d("snapshot")),
		Record: blob.Digest(d("record")), Report: json.RawMessage(`{"of":"` + d("report") + `"}`), CreatedAt: noon,
	}))(t)
	_, _, err := db.ApplyModel(ctx, registry.Model{Name: "hotel", File: "f", Data: map[string]registry.DataFile{"a": {Digest: blob.Digest(d("data"))}}, AppliedAt: noon},
		audit.Record{At: noon, Actor: "ana", Action: "apply", Object: "hotel"}, happening("hotel", "applied"))
	check(t, err)
	check(t, db.SaveLoop(ctx, "hotel", 0, json.RawMessage(`{"of":"`+d("loop")+`"}`), nil))
	equal(t, "no work", must(db.OldestWork(ctx))(t).IsZero(), true)
	for _, name := range []string{"ended long ago", "ended lately", "running", "waiting"} {
		_ = must(db.AddJob(ctx, job.Job{Kind: "train", Key: name, Input: json.RawMessage(`{"of":"` + d(name) + `"}`), AddedAt: noon}))(t)
	}
	for _, at := range []time.Time{noon.Add(-time.Hour), noon} {
		j, _, err := db.ClaimJob(ctx, []string{"train"}, "w", time.Hour, 3)
		check(t, err)
		check(t, db.EndJob(ctx, j.ID, j.Fence, job.Done, json.RawMessage(`{}`), "", at))
	}
	_, _, err = db.ClaimJob(ctx, []string{"train"}, "w", time.Hour, 3)
	check(t, err)
	equal(t, "the oldest work", must(db.OldestWork(ctx))(t), noon)

	var all strings.Builder
	for text, err := range db.Documents(ctx, noon.Add(-time.Minute)) {
		check(t, err)
		all.WriteString(text + "\n")
	}
	for _, name := range []string{"bundle", "judged", "snapshot", "record", "report", "data", "loop", "ended lately", "running", "waiting"} {
		if !strings.Contains(all.String(), d(name)) {
			t.Errorf("no document has the digest of %s", name)
		}
	}
	if strings.Contains(all.String(), d("ended long ago")) {
		t.Error("a job that ended long ago is still among the documents")
	}
}
