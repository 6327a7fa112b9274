// SPDX-License-Identifier: Apache-2.0

package training

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/model"
	"flyball/training/environment"
)

func TestRowsAndScoresHaveTheDigestsThatTheFormatSays(t *testing.T) {
	// hashlib.sha256(struct.pack("<3q", 0, 1, 258)), struct.pack("<2d", 0.5, -1.25)
	if got := rowsDigest([]int{258, 0, 1}); got != "f4c293741cd82d7247e0497e95e1dcf21ef2ee81adffdf23e0373829d122f372" {
		t.Errorf("rows: got %s", got)
	}
	if got := scoresDigest([]float64{0.5, -1.25}); got != "e78e3014bf357be111c9d99c8c59a711e609afec54f6f7ad0aea2a7f23a20a10" {
		t.Errorf("scores: got %s", got)
	}
}

// read is the record of a training that was run, and its JSON.
func read(t *testing.T, tr *Trainer, d blob.Digest) (recorded, map[string]any) {
	t.Helper()
	raw, err := readBlob(t.Context(), tr.Blobs, d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(raw)
	var all map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got, all
}

func TestARecordTellsAllThatATrainingDependsOnAndEqualOnesDifferInTheirTimesAlone(t *testing.T) {
	tr, files := trainer(t, table(t, 1000))
	r := Request{Recipe: recipe(), Files: files, Now: start.Add(1005 * time.Hour), Cause: "first", By: "ana", Key: "m/1"}
	var records [2]map[string]any
	for i := range records {
		before := time.Now()
		res, err := tr.Run(t.Context(), r, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got recorded
		got, records[i] = read(t, tr, res.Record)
		in := got.In
		if in.Machine.OS == "" || in.Threads < 1 || in.Environment != nil || in.Pipelines.Judged == "" || in.Pipelines.Final == "" {
			t.Errorf("got %+v", in)
		}
		if all := []blob.Digest{in.Split.Train, in.Split.Test, in.Split.Final, in.Predictions}; slices.Contains(all, "") || in.Split.Train == in.Split.Final {
			t.Errorf("got %v", all)
		}
		if got.Request.Snapshot != res.Snapshot || got.Request.By != "ana" || got.Builder.Version["go"] == "" {
			t.Errorf("got %+v", got)
		}
		times := records[i]["predicate"].(map[string]any)["runDetails"].(map[string]any)["metadata"].(map[string]any)
		for _, name := range []string{"startedOn", "finishedOn"} {
			at, err := time.Parse(time.RFC3339Nano, times[name].(string))
			if err != nil || at.Before(before) || at.After(time.Now()) {
				t.Errorf("%s is %v, %v", name, times[name], err)
			}
			delete(times, name)
		}
	}
	if !reflect.DeepEqual(records[0], records[1]) {
		t.Errorf("the records differ:\n%v\n%v", records[0], records[1])
	}
}

func TestTheLockOfACommandIsKeptWithTheRecord(t *testing.T) {
	tr, _ := trainer(t, table(t, 10))
	p := ofLock("/usr/bin/python")
	w := &work{Trainer: tr, python: &p, candidate: &model.Bundle{}}
	w.recipe.Train.With = Command
	tr.CPUs = 3
	if err := w.record(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, _ := read(t, tr, w.result.Record)
	if got.In.Environment == nil || got.In.Environment.Version != "3.11.7" || got.In.Threads != 3 {
		t.Errorf("got %+v", got.In)
	}
	raw, err := readBlob(t.Context(), tr.Blobs, w.result.Record)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := RecordedLock(t.Context(), tr.Blobs, raw)
	if err != nil || string(lock) != recordedLock || !strings.Contains(string(raw), `"environment.lock"`) {
		t.Errorf("got %q, %v", lock, err)
	}
}

func TestWhatDiffersOfTwoMachinesIsNamed(t *testing.T) {
	tr, _ := trainer(t, table(t, 10))
	keep := func(lock string) blob.Digest {
		d, _, err := tr.Blobs.Put(t.Context(), strings.NewReader(lock))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	was := recorded{In: internals{Machine: environment.Machine{OS: "linux", CPU: "A", CPUs: 4}, Threads: 1, Environment: &interpreter{
		Version: "3.11.7", Lock: keep("# python 3.11.7\n# from no index: mine==0.1\nnumpy==2.4.6\nsix==1.17.0\n"),
	}}}
	now := recorded{In: internals{Machine: environment.Machine{OS: "linux", CPU: "B", CPUs: 4}, Threads: 1, Environment: &interpreter{
		Version: "3.11.9", Lock: keep("# python 3.11.9\nnumpy==2.4.7\nsix==1.17.0\ntorch==3.0\n"),
	}}}
	got, err := tr.machines(t.Context(), was, now, "there is no uv")
	if err != nil {
		t.Fatal(err)
	}
	said := slices.DeleteFunc(Differences(got), func(s string) bool { return strings.HasPrefix(s, "python environment: ") })
	want := []string{
		"processor: was A, is B", "python: was 3.11.7, is 3.11.9", "package mine: was 0.1, is", "package numpy: was 2.4.6, is 2.4.7",
		"package torch: was , is 3.0", "environment made again: was , is no: there is no uv",
	}
	if !slices.Equal(said, want) {
		t.Errorf("got %q", said)
	}
	same, err := tr.machines(t.Context(), was, was, "")
	if err != nil || len(Differences(same)) > 0 || len(same) != 6 {
		t.Errorf("got %v, %v", same, err)
	}
}
