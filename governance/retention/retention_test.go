// SPDX-License-Identifier: Apache-2.0

package retention_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flyball/blob"
	"flyball/blob/artifact"
	"flyball/data/dataset"
	"flyball/event"
	"flyball/experiment"
	"flyball/fault"
	"flyball/governance/audit"
	"flyball/governance/retention"
	"flyball/ident"
	"flyball/job"
	"flyball/model/registry"
	"flyball/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the day of these tests; a month and a half later what was deleted goes.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const model = "m-b0000000000000000000000000000006"

// house is a server's storage.
type house struct {
	t     *testing.T
	dir   string
	db    *store.DB
	blobs *blob.Bucket
	tree  *artifact.Tree
	now   time.Time
}

func build(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), now: now}
	var err error
	if h.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "flyball.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.db.Close(); err != nil {
			t.Error(err)
		}
	})
	if h.blobs, err = blob.OpenDir(h.dir); err != nil {
		t.Fatal(err)
	}
	h.tree = artifact.New(artifact.Options{Blobs: h.blobs, Store: h.db})
	return h
}

func (h *house) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) collector(s retention.Store, b retention.Blobs) *retention.Collector {
	return retention.New(retention.Options{Store: s, Blobs: b, Now: func() time.Time { return h.now }})
}

func (h *house) collect(p retention.Policy, dry bool) retention.Result {
	h.t.Helper()
	r, err := h.collector(h.db, h.blobs).Collect(h.t.Context(), "ana", p, dry, nil)
	h.check(err)
	return r
}

func (h *house) put(path, text string) {
	h.t.Helper()
	_, err := h.tree.Put(h.t.Context(), path, strings.NewReader(text))
	h.check(err)
}

func (h *house) bytes(text string) blob.Digest {
	h.t.Helper()
	d, err := blob.PutBytes(h.t.Context(), h.blobs, []byte(text))
	h.check(err)
	return d
}

// age has every blob look as if it were put days ago.
func (h *house) age() {
	h.t.Helper()
	old := time.Now().Add(-72 * time.Hour)
	h.check(filepath.WalkDir(h.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	}))
}

// onDisk is whether a file of the folder holds these bytes.
func (h *house) onDisk(text string) bool {
	h.t.Helper()
	found := false
	h.check(filepath.WalkDir(h.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || string(b) == text
		return err
	}))
	return found
}

func (h *house) run(e ident.ExperimentID, id string) {
	h.t.Helper()
	h.check(h.db.CreateRun(h.t.Context(), experiment.Run{
		ID: ident.RunID(id), Experiment: e, Name: id, Status: experiment.Running, Location: fmt.Sprintf("mlflow-artifacts:/%d/%s/artifacts", e, id),
	}))
}

func (h *house) deleteRun(id string, at time.Time) {
	h.t.Helper()
	h.check(h.db.SetRunDeleted(h.t.Context(), ident.RunID(id), true, at.UnixMilli()))
}

// version registers a version that Flyball made, with all that hangs on it, and
// returns the texts of its blobs.
func (h *house) version(name string) []string {
	h.t.Helper()
	var texts []string
	keep := func(text string) blob.Digest {
		texts = append(texts, text)
		return h.bytes(text)
	}
	bundle := func(what string) blob.Digest {
		tree, golden := keep(`{"learner":"`+name+what+`"}`), keep("PAR1 golden "+name+what)
		return keep(fmt.Sprintf(`{"format":"flyball.bundle/v1","files":{"golden.parquet":%q,"model.json":%q}}`, golden, tree))
	}
	judged, final := bundle("judged"), bundle("final")
	source := keep("a,b\n" + name)
	rows := keep("PAR1 rows " + name)
	snapshot := keep(fmt.Sprintf(`{"format":"flyball.snapshot/v1","data":%q}`, rows))
	record := keep(fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","resolvedDependencies":[{"digest":{"sha256":%q}}]}`, source))
	_, err := h.db.AddVersion(h.t.Context(), registry.Version{
		Ref: ident.Ref{Model: name}, Bundle: final, Judged: judged, Snapshot: snapshot, Record: record, CreatedAt: now, CreatedBy: "ana",
	})
	h.check(err)
	return texts
}

var month = retention.Policy{Keep: 30 * 24 * time.Hour, Grace: 24 * time.Hour}

func TestWhatIsReachedFromARecordIsKept(t *testing.T) {
	h := build(t)
	texts := h.version("hotel")
	h.apply("hotel", h.bytes("newer data"))
	h.run(0, "r1")
	h.put("0/r1/artifacts/a", "an artifact")
	h.put("elsewhere/b", "nobody's file")
	h.put("0/r1/artifacts/j.json", `{"looks":"`+string(h.bytes("named by a user's file only"))+`"}`)
	texts = append(texts, "newer data", "an artifact", "nobody's file")
	h.bytes("forgotten")
	h.age()
	young := h.bytes("just put")
	r := h.collect(month, false)
	for _, text := range texts {
		if !h.onDisk(text) {
			t.Errorf("%q is gone", text)
		}
	}
	for _, text := range []string{"forgotten", "named by a user's file only"} {
		if h.onDisk(text) {
			t.Errorf("%q is still on the disk", text)
		}
	}
	if ok, err := h.blobs.Has(t.Context(), young); !ok || err != nil {
		t.Errorf("a young blob: got %v, %v", ok, err)
	}
	if r.Blobs != (retention.Count{Number: 2, Bytes: 9 + 27}) || r.Young.Number != 1 || r.Kept.Number != len(texts)+1 {
		t.Errorf("got %+v", r)
	}
}

func (h *house) apply(name string, data blob.Digest) {
	h.t.Helper()
	m := registry.Model{Name: name, File: "name: " + name, Data: map[string]registry.DataFile{"a.csv": {Digest: data, Size: 10}}, AppliedAt: now}
	_, _, err := h.db.ApplyModel(h.t.Context(), m, audit.Record{At: now, Actor: "ana", Action: "apply", Object: name}, event.Event{At: now, Model: name, Kind: "apply"})
	h.check(err)
}

func TestDeletionIsDeletionAndNobodyElseLosesAnything(t *testing.T) {
	h := build(t)
	e, err := h.db.CreateExperiment(t.Context(), experiment.Experiment{Name: "old"})
	h.check(err)
	for _, id := range []string{"long", "lately", "alive", "held"} {
		h.run(0, id)
		h.put("0/"+id+"/artifacts/own", "own bytes of "+id)
		h.put("0/"+id+"/artifacts/same", "bytes of all four")
	}
	h.run(e.ID, "with")
	h.put(fmt.Sprintf("%d/with/artifacts/a", e.ID), "bytes of a run of the old experiment")
	h.put(fmt.Sprintf("%d/notes.txt", e.ID), "bytes of the old experiment")
	h.check(h.db.CreateLoggedModel(t.Context(), experiment.LoggedModel{ID: model, Name: "m", Location: "mlflow-artifacts:/0/models/" + model + "/artifacts"}))
	h.put("0/models/"+model+"/artifacts/MLmodel", "bytes of a logged model")
	_, err = h.db.AddVersion(t.Context(), registry.Version{
		Ref: ident.Ref{Model: "hotel"}, Location: "mlflow-artifacts:/0/held/artifacts/model", RunID: "held", CreatedAt: now,
	})
	h.check(err)
	// A version's location is set by who registers it; AddVersion keeps what Flyball makes.
	h.put("versions/gone/7/MLmodel", "bytes of a version that was deleted")
	h.put("versions/hotel/1/MLmodel", "bytes of a version that is there")
	h.put("versions/notes.txt", "bytes of nobody")

	for _, id := range []string{"long", "held"} {
		h.deleteRun(id, now)
	}
	h.deleteRun("lately", now.Add(40*24*time.Hour))
	h.check(h.db.DeleteLoggedModel(t.Context(), model, now.UnixMilli()))
	h.check(h.db.SetExperimentDeleted(t.Context(), e.ID, true, now.UnixMilli()))
	h.age()
	h.now = now.Add(45 * 24 * time.Hour)

	want := retention.Result{Runs: 2, Models: 1, Experiments: 1, Versions: 1, Held: 1}
	dry := h.collect(month, true)
	if dry.Runs != want.Runs || dry.Models != want.Models || dry.Experiments != want.Experiments || dry.Versions != want.Versions || dry.Held != want.Held {
		t.Errorf("dry: got %+v, want %+v", dry, want)
	}
	if dry.Blobs.Number != 5 || !h.onDisk("own bytes of long") {
		t.Errorf("a dry run removed something, or found %+v", dry.Blobs)
	}
	done := h.collect(month, false)
	if done != dry {
		t.Errorf("done: got %+v, want what the dry run said: %+v", done, dry)
	}
	for text, want := range map[string]bool{
		"own bytes of long": false, "own bytes of lately": true, "own bytes of alive": true, "own bytes of held": true, "bytes of all four": true,
		"bytes of a run of the old experiment": false, "bytes of the old experiment": false, "bytes of a logged model": false,
		"bytes of a version that was deleted": false, "bytes of a version that is there": true, "bytes of nobody": true,
	} {
		if got := h.onDisk(text); got != want {
			t.Errorf("%q: on the disk %v, want %v", text, got, want)
		}
	}
	for _, id := range []ident.RunID{"long", "with"} {
		if _, err := h.db.Run(t.Context(), id); !fault.Is(err, fault.NotFound) {
			t.Errorf("run %s: got %v, want not found", id, err)
		}
	}
	if _, err := h.tree.Stat(t.Context(), "0/long"); !fault.Is(err, fault.NotFound) {
		t.Errorf("the folder of a run: got %v, want not found", err)
	}
	h.check(h.db.SetRunDeleted(t.Context(), "lately", false, h.now.UnixMilli())) // it can still be restored

	again := h.collect(month, false)
	if again.Runs+again.Models+again.Experiments+again.Versions+again.Blobs.Number != 0 || again.Held != 1 {
		t.Errorf("again: got %+v, want nothing to do", again)
	}
	recs, err := h.db.Audit(t.Context(), 0, 100)
	h.check(err)
	var said []string
	for _, r := range recs {
		if r.Object == "storage" {
			said = append(said, r.Actor+" "+r.Action+" "+string(r.Data))
		}
	}
	if len(said) != 2 || !strings.HasPrefix(said[0], "ana collect {") || !strings.HasPrefix(said[1], "ana collected {") || !strings.Contains(said[0], `"keep":"720h0m0s"`) || !strings.Contains(said[1], `"runs":2`) {
		t.Errorf("the audit says %q", said)
	}
}

func TestWorkUnderWayKeepsWhatItPut(t *testing.T) {
	h := build(t)
	h.now = time.Now()
	snapshot := h.bytes("PAR1 of a training that takes days")
	h.age()
	j, err := h.db.AddJob(t.Context(), job.Job{Kind: "train", AddedAt: time.Now().Add(-96 * time.Hour), Input: json.RawMessage(`{"n":1}`)})
	h.check(err)
	if r := h.collect(month, false); r.Blobs.Number != 0 || r.Young.Number != 1 {
		t.Errorf("got %+v, want it kept", r)
	}
	_, err = h.db.AddJob(t.Context(), job.Job{Kind: "train", AddedAt: time.Now(), Input: json.RawMessage(`{"snapshot":"` + string(snapshot) + `"}`)})
	h.check(err)
	claimed, ok, err := h.db.ClaimJob(t.Context(), []string{"train"}, "w", time.Hour, 3)
	if err != nil || !ok || claimed.ID != j.ID {
		t.Fatalf("got %+v, %v", claimed, err)
	}
	h.check(h.db.EndJob(t.Context(), j.ID, claimed.Fence, job.Failed, nil, "", time.Now()))
	if r := h.collect(month, false); r.Blobs.Number != 0 || r.Kept.Number != 1 {
		t.Errorf("got %+v, want it kept for the job that waits", r)
	}
}

func TestALocationThatIsSharedGoesWithNobody(t *testing.T) {
	h := build(t)
	for i, location := range []string{"mlflow-artifacts:/", "mlflow-artifacts:/team", "s3://team/x"} {
		e, err := h.db.CreateExperiment(t.Context(), experiment.Experiment{Name: fmt.Sprint(i), Location: location})
		h.check(err)
		id := fmt.Sprint("r", i)
		h.check(h.db.CreateRun(t.Context(), experiment.Run{ID: ident.RunID(id), Experiment: e.ID, Location: location}))
		h.check(h.db.SetExperimentDeleted(t.Context(), e.ID, true, now.UnixMilli()))
	}
	h.run(0, "alive")
	h.put("0/alive/artifacts/a", "a")
	h.put("team/alive/artifacts/b", "b")
	h.age()
	h.now = now.Add(45 * 24 * time.Hour)
	if r := h.collect(month, false); r.Experiments != 3 || r.Runs != 3 || r.Blobs.Number != 0 || r.Kept.Number != 2 {
		t.Errorf("got %+v, want three experiments and no bytes", r)
	}
}

func TestOneCollectionRunsAtATime(t *testing.T) {
	h := build(t)
	h.bytes("x")
	c := h.collector(h.db, h.blobs)
	var inner error
	_, err := c.Collect(t.Context(), "ana", retention.Policy{}, true, nil)
	h.check(err)
	h.run(0, "r")
	h.deleteRun("r", now)
	h.now = now.Add(time.Hour)
	_, err = c.Collect(t.Context(), "ana", retention.Policy{}, false, func(retention.Step) {
		_, inner = c.Collect(t.Context(), "bo", retention.Policy{}, false, nil)
	})
	if err != nil || !fault.Is(inner, fault.Conflict) {
		t.Errorf("got %v and %v, want a conflict for the second", err, inner)
	}
	if _, err := c.Collect(t.Context(), "ana", retention.Policy{Keep: -1}, false, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

// noted notes that a snapshot was made for a model.
func (h *house) noted(name string, id blob.Digest, at time.Time) {
	h.t.Helper()
	h.check(h.db.AddSnapshot(h.t.Context(), dataset.Made{Model: name, ID: id, At: at, Rows: 1, Bytes: 1, Cause: "drift"}))
}

func TestANeedlessSnapshotGoesAndNoneThatAVersionWasMadeFrom(t *testing.T) {
	h := build(t)
	needed := h.version("hotel")
	v, err := h.db.Version(t.Context(), ident.Ref{Model: "hotel", Version: 1})
	h.check(err)
	snapshot := func(files ...string) (blob.Digest, string) {
		var list []string
		for _, text := range files {
			list = append(list, fmt.Sprintf(`{"data":%q,"rows":1,"bytes":1}`, h.bytes(text)))
		}
		manifest := fmt.Sprintf(`{"format":"flyball.snapshot/v2","rows":%d,"files":[%s]}`, len(files), strings.Join(list, ","))
		return h.bytes(manifest), manifest
	}
	refused, one := snapshot("PAR1 rows hotel", "PAR1 rows that failed a check")
	newest, two := snapshot("PAR1 rows hotel", "PAR1 the newest rows")
	day := 24 * time.Hour
	h.noted("hotel", v.Snapshot, now.Add(-60*day))
	h.noted("hotel", refused, now.Add(-50*day))
	h.noted("hotel", newest, now.Add(-40*day))
	h.age()
	if r := h.collect(month, true); r.Snapshots != 1 || !h.onDisk(one) {
		t.Errorf("a dry run: got %+v", r)
	}
	if r := h.collect(month, false); r.Snapshots != 1 || r.Blobs.Number != 2 {
		t.Errorf("got %+v", r)
	}
	for _, text := range append(needed, two, "PAR1 the newest rows") {
		if !h.onDisk(text) {
			t.Errorf("%q is gone", text)
		}
	}
	for _, text := range []string{one, "PAR1 rows that failed a check"} {
		if h.onDisk(text) {
			t.Errorf("%q is still on the disk", text)
		}
	}
	left, err := h.db.Snapshots(t.Context(), "hotel")
	if err != nil || len(left) != 2 || left[0].ID != newest || left[1].ID != v.Snapshot {
		t.Errorf("got %+v, %v", left, err)
	}
}
