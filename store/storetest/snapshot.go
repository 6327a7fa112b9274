// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
)

// snapshots: noted once, and needed while a version was made from it or it is the newest.
func snapshots(t *testing.T, open Open) {
	db, _ := open(t)
	ctx := t.Context()
	day := 24 * time.Hour
	made := func(model, id string, days int) dataset.Made {
		return dataset.Made{Model: model, ID: blob.Sum([]byte(id)), At: noon.Add(time.Duration(days) * day), Rows: 7, Bytes: 99, Cause: "schedule"}
	}
	for _, s := range []dataset.Made{
		made("hotel", "used", 0), made("hotel", "newest", 0), made("hotel", "needless", 1), made("hotel", "newest", 2), made("hotel", "needless", 0), // made again
		made("bikes", "only", 0),
	} {
		check(t, db.AddSnapshot(ctx, s))
	}
	_ = must(db.AddVersion(ctx, registry.Version{Ref: ident.Ref{Model: "hotel"}, Snapshot: blob.Sum([]byte("used")), CreatedAt: noon}))(t)
	list := func(model string) []dataset.Made { return must(db.Snapshots(ctx, model))(t) }
	equal(t, "of a model", list("hotel"), []dataset.Made{made("hotel", "newest", 2), made("hotel", "needless", 1), made("hotel", "used", 0)})
	equal(t, "of all", len(list("")), 4)

	late := noon.Add(90 * day).UnixMicro()
	equal(t, "needless", must(db.NeedlessSnapshots(ctx, late))(t), []blob.Digest{blob.Sum([]byte("needless"))})
	equal(t, "needless, but young", len(must(db.NeedlessSnapshots(ctx, noon.UnixMicro()))(t)), 0)
	equal(t, "dropped, but young", must(db.DropSnapshots(ctx, noon.UnixMicro()))(t), 0)
	for _, want := range []int{1, 0} {
		equal(t, "dropped", must(db.DropSnapshots(ctx, late))(t), want)
	}
	equal(t, "what is left", list("hotel"), []dataset.Made{made("hotel", "newest", 2), made("hotel", "used", 0)})

	_, _, err := db.ApplyModel(ctx, registry.Model{Name: "x", AppliedAt: noon}, audit.Record{At: noon}, happening("x", "applied"))
	check(t, err)
	check(t, db.AddSnapshot(ctx, made("x", "x", 0)))
	check(t, db.RenameModel(ctx, "x", "y", "ana", noon))
	equal(t, "of a renamed model", list("y"), []dataset.Made{made("y", "x", 0)})
	check(t, db.DeleteModel(ctx, "y", "ana", noon))
	equal(t, "of a deleted model", len(list("y")), 0)
}
