// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"flyball/blob/blobtest"
	"flyball/bucket"
	"flyball/fault"
	"flyball/serving/prediction"
)

// eachBucket runs a test on every kind of bucket.
func eachBucket(t *testing.T, do func(t *testing.T, b *blob.Bucket)) {
	open := func(t *testing.T, b *blob.Bucket, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b = blob.PrefixedBucket(b, "predictions/")
		t.Cleanup(func() { _ = b.Close() })
		do(t, b)
	}
	t.Run("memory", func(t *testing.T) { open(t, memblob.OpenBucket(nil), nil) })
	t.Run("folder", func(t *testing.T) {
		b, err := bucket.Open(context.Background(), "file://"+filepath.ToSlash(t.TempDir()), "")
		open(t, b, err)
	})
	blobtest.Clouds(t, "../../.cache", func(t *testing.T, url string) {
		b, err := bucket.Open(context.Background(), url, "")
		open(t, b, err)
	})
}

func TestWhatWasAnsweredAnywhereIsInOneLogAndOutlivesItsMachine(t *testing.T) {
	eachBucket(t, func(t *testing.T, b *blob.Bucket) {
		p := &pointer{}
		one, two, leader := start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, by{p, 0})
		one.append(record(1, 0), record(2, 1))
		two.append(record(3, 0.5), record(4, 30))
		leader.append(record(5, 2))
		two.label(labelOf(1, "1"), labelOf(3, "0"))
		if err := one.AppendReasons(context.Background(), prediction.Reasoned{ID: record(1, 0).ID, Model: "m", Time: noon, Reasons: []byte(`{"base":1}`)}); err != nil {
			t.Fatal(err)
		}
		if err := one.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, m := range []*machine{one, two, leader} {
			m.ship()
		}
		if n := leader.take(); n != 4 {
			t.Errorf("took %d", n)
		}
		leader.checkpoint()
		if got := objectsIn(t, b, "shipments/"); len(got) != 0 {
			t.Errorf("shipments that the checkpoint has are left: %q", got)
		}
		one.append(record(6, 3))
		leader.append(record(7, 4))
		leader.label(labelOf(7, "1"))
		one.ship()
		leader.ship()
		leader.take()
		want := scan(t, leader.Log)
		if len(want) != 7 {
			t.Errorf("%d rows", len(want))
		}
		leader.stop() // and its machine is lost
		p.leader = 1
		next, restored := restore(t, t.TempDir(), b, by{p, 1})
		if !restored {
			t.Error("nothing was restored")
		}
		if n := next.take(); n != 2 {
			t.Errorf("took %d after the checkpoint", n)
		}
		same(t, scan(t, next.Log), want)
		next.checkpoint()
		third, _ := restore(t, t.TempDir(), b, p2(p))
		same(t, scan(t, third.Log), want)
		// A key is found by where it lies, a label by its name.
		n := 0
		if err := third.Scan(context.Background(), prediction.Query{Model: "m", Key: "b-1"}, func(j prediction.Joined) error {
			n++
			if j.Label == nil || j.Label.Value != "1" {
				t.Errorf("got %+v", j)
			}
			return nil
		}); err != nil || n != 1 {
			t.Errorf("%d rows (%v)", n, err)
		}
		if unmatched, err := third.AppendLabels(context.Background(), labelOf(6, "0"), labelOf(2, "0")); unmatched != 0 || err != nil {
			t.Errorf("%d labels wait (%v)", unmatched, err)
		}
	})
}

func p2(p *pointer) by { p.leader = 2; return by{p, 2} }

func TestAFolderThatTheCheckpointIsOfGoesOnAsItIs(t *testing.T) {
	b, p, dir := memblob.OpenBucket(nil), &pointer{}, t.TempDir()
	m := start(t, dir, b, by{p, 0})
	m.append(record(1, 0))
	m.checkpoint()
	m.append(record(2, 0))
	m.stop()
	m, restored := restore(t, dir, b, by{p, 0})
	if restored || len(scan(t, m.Log)) != 2 {
		t.Error("it was restored")
	}
}

// TestALeaderThatWasPausedDoesNoHarm has one make a checkpoint while another leads.
func TestALeaderThatWasPausedDoesNoHarm(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	oldDir := t.TempDir()
	old := start(t, oldDir, b, by{p, 0})
	old.append(record(1, 0), record(2, 0))
	old.checkpoint()
	old.append(record(3, 0))
	old.ship()
	old.append(record(4, 0)) // nobody else has it yet
	p.leader = 1
	next, _ := restore(t, t.TempDir(), b, by{p, 1})
	next.take()
	next.append(record(5, 0))
	newest := next.checkpoint()
	if _, err := old.keeper.Checkpoint(context.Background()); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
	if p.key != newest {
		t.Error("the newest checkpoint is another")
	}
	old.stop()
	if err := ShipRest(context.Background(), oldDir, b, nil); err != nil {
		t.Fatal(err)
	}
	if n := next.take(); n != 1 {
		t.Errorf("took %d of what waited on the old machine", n)
	}
	if got := scan(t, next.Log); len(got) != 5 {
		t.Errorf("%d rows", len(got))
	}
	next.checkpoint()
	want := scan(t, next.Log)
	next.stop()
	p.leader = 0
	old, restored := restore(t, oldDir, b, by{p, 0})
	if !restored {
		t.Error("the old folder was not restored")
	}
	same(t, scan(t, old.Log), want)
}

// slow is a pointer whose leader is paused when it has just set it.
type slow struct {
	by
	paused func()
}

func (s slow) SetCheckpoint(ctx context.Context, key string) error {
	err := s.by.SetCheckpoint(ctx, key)
	s.paused()
	return err
}

// TestALeaderThatWakesUpAfterItSetTheCheckpointRemovesNothingOfAnother has another lead and
// make a checkpoint in between.
func TestALeaderThatWakesUpAfterItSetTheCheckpointRemovesNothingOfAnother(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	var next *machine
	old := start(t, t.TempDir(), b, slow{by{p, 0}, func() {
		if p.leader = 1; next != nil {
			return
		}
		next, _ = restore(t, t.TempDir(), b, by{p, 1})
		next.take()
		next.append(record(3, 0), record(4, 72))
		next.ship()
		next.checkpoint()
	}})
	old.append(record(1, 0), record(2, 48))
	old.ship()
	old.checkpoint()
	want := scan(t, next.Log)
	if len(want) != 4 {
		t.Errorf("%d rows", len(want))
	}
	third, _ := restore(t, t.TempDir(), b, p2(p))
	third.take()
	same(t, scan(t, third.Log), want)
}

func TestADamagedShipmentKeepsNoOther(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	one, two, leader := start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, by{p, 0})
	for i := range 3 {
		one.append(record(2*i, 0))
		one.ship()
		two.append(record(2*i+1, 0))
		two.ship()
	}
	m, err := two.Shipped(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WriteAll(context.Background(), keyOf(m.Origin, 2), []byte("damaged"), nil); err != nil {
		t.Fatal(err)
	}
	n, err := leader.taker.Turn(context.Background())
	if n != 4 || !fault.Is(err, fault.Invalid) {
		t.Errorf("took %d (%v)", n, err)
	}
}

func TestWhatIsForgottenOrTrimmedLeavesTheBucketWithTheNextCheckpoint(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	m := start(t, t.TempDir(), b, by{p, 0})
	m.append(record(1, 0), record(2, 0), record(3, 48))
	m.checkpoint()
	first := objectsIn(t, b, "model=")
	if len(first) != 2 {
		t.Errorf("%d sealed files: %q", len(first), first)
	}
	if _, err := m.Forget(context.Background(), "m", "b-1", "alice", "asked"); err != nil {
		t.Fatal(err)
	}
	m.checkpoint()
	second := objectsIn(t, b, "model=")
	if len(second) != 2 || second[0] == first[0] || second[1] != first[1] {
		t.Errorf("%q, then %q", first, second)
	}
	if _, err := m.Trim(context.Background(), noon.AddDate(0, 0, 9), 7*24*3600e9, 0); err != nil {
		t.Fatal(err)
	}
	m.checkpoint()
	if got := objectsIn(t, b, "model="); len(got) != 1 || got[0] != first[1] {
		t.Errorf("%q after the first day was trimmed", got)
	}
	if got := objectsIn(t, b, "checkpoints/"); len(got) != 2 {
		t.Errorf("older checkpoints are left: %q", got)
	}
	next, _ := restore(t, t.TempDir(), b, by{p, 0})
	if got := scan(t, next.Log); len(got) != 1 {
		t.Errorf("%d rows", len(got))
	}
}

func TestWhatAFailedCheckpointLeftIsRemovedAnHourLater(t *testing.T) {
	dir := t.TempDir()
	b, err := bucket.Open(context.Background(), "file://"+filepath.ToSlash(dir), "")
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, t.TempDir(), b, by{&pointer{}, 0})
	m.append(record(1, 0))
	m.checkpoint()
	ctx, before := t.Context(), time.Now().Add(-2*time.Hour)
	for _, key := range []string{"model=m/date=2025-03-04/old.parquet", "model=m/date=2025-03-04/young.parquet", "checkpoints/old/staged.db", "notes/old.txt"} {
		if err := b.WriteAll(ctx, key, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(key, "old") {
			if err := os.Chtimes(filepath.Join(dir, key), before, before); err != nil {
				t.Fatal(err)
			}
		}
	}
	sealed := objectsIn(t, b, "model=")
	m.checkpoint()
	if got, want := objectsIn(t, b, "model="), slices.DeleteFunc(sealed, func(k string) bool { return strings.Contains(k, "old") }); !slices.Equal(got, want) || len(got) != 2 {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := objectsIn(t, b, "checkpoints/"); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if got := objectsIn(t, b, "notes/"); len(got) != 1 {
		t.Errorf("what is not ours was removed: %q", got)
	}
}

func TestAMissingShipmentIsTold(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	one, leader := start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, by{p, 0})
	for i := range 3 {
		one.append(record(i, 0))
		one.ship()
	}
	keys := objectsIn(t, b, "shipments/")
	kept, err := b.ReadAll(context.Background(), keys[1])
	if err := errors.Join(err, b.Delete(context.Background(), keys[1])); err != nil {
		t.Fatal(err)
	}
	n, err := leader.taker.Turn(context.Background())
	if n != 1 || !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "shipment 2 of origin ") {
		t.Errorf("%d, %v", n, err)
	}
	if err := b.WriteAll(context.Background(), keys[1], kept, nil); err != nil {
		t.Fatal(err)
	}
	if n := leader.take(); n != 2 {
		t.Errorf("took %d", n)
	}
}

func TestALogThatWasRestoredElsewhereTakesFromWhereItsReplicasAre(t *testing.T) {
	one := start(t, t.TempDir(), memblob.OpenBucket(nil), nil)
	one.append(record(1, 0))
	one.ship()
	b, p := memblob.OpenBucket(nil), &pointer{} // another bucket, whose log knows nothing of the first
	one.stop()
	one = start(t, one.dir, b, nil)
	leader := start(t, t.TempDir(), b, by{p, 0})
	for i := 2; i < 5; i++ {
		one.append(record(i, 0))
		one.ship()
	}
	if n := leader.take(); n != 3 || len(scan(t, leader.Log)) != 3 {
		t.Errorf("took %d", n)
	}
}

func TestTheLogOfABucketIsGatheredWithoutTheMachineThatHadIt(t *testing.T) {
	b, p := memblob.OpenBucket(nil), &pointer{}
	one, leader := start(t, t.TempDir(), b, nil), start(t, t.TempDir(), b, by{p, 0})
	for i := range 4 {
		one.append(record(2*i, 0))
		leader.append(record(2*i+1, 0))
		one.ship()
		leader.ship()
		switch i {
		case 0, 2:
			leader.take()
		case 1:
			leader.checkpoint()
		}
	}
	before, dir := objectsIn(t, b, ""), t.TempDir()
	if err := Gather(context.Background(), RestoreOptions{Dir: dir, Bucket: b, Pointer: p2(p)}); err != nil {
		t.Fatal(err)
	}
	leader.take()
	want := scan(t, leader.Log)
	same(t, scan(t, startPlain(t, dir).Log), want)
	if after := objectsIn(t, b, ""); len(want) != 8 || !slices.Equal(after, before) {
		t.Errorf("%d rows; the bucket had %v and has %v", len(want), before, after)
	}
}

func TestAFolderThatWasNeverSharedIsNotReplaced(t *testing.T) {
	b, p, dir := memblob.OpenBucket(nil), &pointer{}, t.TempDir()
	m := start(t, t.TempDir(), b, by{p, 0})
	m.append(record(1, 0))
	m.checkpoint()
	plain := startPlain(t, dir)
	plain.append(record(2, 0))
	plain.stop()
	if _, err := Restore(context.Background(), RestoreOptions{Dir: dir, Bucket: b, Pointer: p2(p)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
}
