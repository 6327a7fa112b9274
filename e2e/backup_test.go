// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flyball/api/wire"
	"flyball/blob/blobtest"
	"flyball/model/registry"
	"flyball/serving/prediction"
	"flyball/store/pgtest"
)

// standing is what a restore must bring back.
type standing struct {
	versions []registry.Version
	truths   map[string]string // of the predictions, by key
}

// stands reads it from a server.
func stands(t *testing.T, s *server) (out standing, err error) {
	t.Helper()
	if out.versions, err = s.Versions(t.Context(), bike); err != nil {
		return out, err
	}
	rows, err := s.Predictions(t.Context(), prediction.Query{Model: bike, Last: 10_000})
	out.truths = map[string]string{}
	for _, p := range rows {
		if _, twice := out.truths[p.Key]; twice {
			t.Errorf("%s is in the log twice", p.Key)
		}
		out.truths[p.Key] = ""
		if p.Label != nil {
			out.truths[p.Key] = p.Label.Value
		}
	}
	return out, err
}

// TestABackupOfPostgreSQLAndS3IsRestoredIntoOthersAndIntoAFolder has a process that decides
// and one that answers keep all in PostgreSQL and S3, and backs that up. From another
// PostgreSQL and another bucket another process decides, and the same one answers; from
// there all goes into a folder.
func TestABackupOfPostgreSQLAndS3IsRestoredIntoOthersAndIntoAFolder(t *testing.T) {
	pg := &pgtest.Server{}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	blobtest.S3(t, versitygw)
	s := &several{t: t, dir: t.TempDir()}
	places := map[string][]string{}
	var decides, answers *server
	var want standing
	begin := func(place string) {
		t.Helper()
		places[place] = []string{"FLYBALL_DATABASE=" + pg.DSN(t), "FLYBALL_BUCKET=s3://lake/" + place, "FLYBALL_TOKEN="}
	}
	rise := func(place, control string) {
		t.Helper()
		s.env, s.urls = places[place], map[string]string{}
		decides = s.process(control, "control")
		comes(t, control+" leads", func() bool { _, err := decides.Health(t.Context()); return err == nil })
		s.env = append(slices.Clone(s.env), "FLYBALL_CONTROL="+decides.url)
		answers = s.process("r", "serve")
	}
	asked := 0
	ask := func(to *server, row hour) (wire.Prediction, error) {
		key := fmt.Sprintf("2026-01-01T00:00:00.%06d", asked+1)
		got, err := to.Predict(t.Context(), bike, []json.RawMessage{row.row(map[string]any{"ts": key})})
		if err != nil {
			return wire.Prediction{}, err
		}
		asked++
		return got.Predictions[0], nil
	}
	has := func(on *server, want standing) {
		t.Helper()
		var got standing
		comes(t, fmt.Sprintf("%d predictions are in the log", len(want.truths)), func() bool {
			var err error
			got, err = stands(t, on)
			return err == nil && len(got.truths) >= len(want.truths)
		})
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(standing{})); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	flyball := func(place string, code int, says string, args ...string) {
		t.Helper()
		env := append(slices.Clone(places[place]), "FLYBALL_URL=")
		if got := runIn(t, patience, env, "", args...); got.code != code || !strings.Contains(got.out+got.stderr, says) {
			t.Fatalf("flyball %s: exit %d, want %d with %q: %s%s", strings.Join(args, " "), got.code, code, says, got.out, got.stderr)
		}
	}

	begin("one")
	rise("one", "c1")
	past, _ := history(t)
	past = recent(past[len(past)-150*24:])
	file := modelFile(t, append(byHand, [2]string{"log: {durable: false, when_full: drop}", "log: {durable: true, when_full: wait}"})...)
	if err := apply(t.Context(), decides.Client, file, csvFile(past)); err != nil {
		t.Fatal(err)
	}
	var first wire.Prediction
	comes(t, "the first version answers", func() (ok bool) {
		var err error
		first, err = ask(answers, past[0])
		return err == nil && first.Arm == "live" // some of its first answers are the baseline's
	})
	repeats := func(what string, to *server) {
		t.Helper()
		comes(t, what+" answers as before", func() bool {
			again, err := ask(to, past[0])
			if err != nil {
				return false
			}
			want.truths[again.Key] = ""
			if again.Arm == first.Arm && *again.Value != *first.Value {
				t.Errorf("got %v, want %v", *again.Value, *first.Value)
			}
			return again.Arm == first.Arm
		})
	}
	for i := range 60 {
		if _, err := ask([]*server{answers, decides}[i%2], past[i]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := answers.Label(t.Context(), bike, []wire.Label{{Key: "2026-01-01T00:00:00.000001", Value: json.RawMessage("7")}}); err != nil {
		t.Fatal(err)
	}
	comes(t, "all that was asked is in the log", func() bool {
		var err error
		want, err = stands(t, decides)
		return err == nil && len(want.truths) == asked && want.truths["2026-01-01T00:00:00.000001"] == "7"
	})
	backup := filepath.Join(s.dir, "one.tar")
	command{args: "backup " + backup, says: "files of predictions"}.check(t, answers.url) // which hands it on
	flyball("", 0, "audit chain", "restore", backup, "--check")
	if _, err := ask(answers, past[1]); err != nil { // what comes after a backup is lost with what it is of
		t.Fatal(err)
	}
	asked--
	answers.stop()
	decides.stop()

	begin("two")
	restored := filepath.Join(s.dir, "restored")
	flyball("one", 6, "has predictions of a server", "restore", backup, "--data", restored)
	flyball("two", 0, "restored", "restore", backup, "--data", restored)
	rise("two", "c2") // which has another folder
	has(decides, want)
	repeats("the replica", answers)
	has(decides, want)
	for _, p := range []*server{answers, decides} { // whoever is stopped hands on what it has, at once
		last, err := ask(p, past[2])
		if err != nil {
			t.Fatal(err)
		}
		want.truths[last.Key] = ""
		p.stop()
	}

	moved, folder := filepath.Join(s.dir, "two.tar"), filepath.Join(s.dir, "folder")
	flyball("two", 0, "files of predictions", "backup", moved, "--data", restored) // the newest log is in the bucket
	flyball("", 0, "restored", "restore", moved, "--data", folder)
	alone, err := launchAs([]string{"FLYBALL_DATABASE=", "FLYBALL_BUCKET="}, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--grpc", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(alone.stop)
	has(alone, want)
	repeats("one process", alone)
	has(alone, want)
	command{args: "audit verify", says: "hold"}.check(t, alone.url)
}
