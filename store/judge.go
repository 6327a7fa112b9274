// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"strconv"

	"flyball/event"
	"flyball/fault"
	"flyball/model/registry"
)

// JudgeVersion keeps what became of a version that a client registered when it was
// read and judged: Bundle, Judged, Snapshot, Record, SeenUntil, Verdict, Report and Key
// of v, with evs. It changes a version once: one that was judged under the same Key is
// returned as it is, and any other that has a bundle is a Conflict fault.
func (db *DB) JudgeVersion(ctx context.Context, v registry.Version, evs ...event.Event) (registry.Version, error) {
	kept := registry.Version{}
	err := db.atomic(ctx, "the verdict was not kept", func(t *tx) error {
		n, err := t.exec(ctx, `UPDATE versions SET bundle = $3, judged = $4, snapshot = $5, record = $6, seen_until = $7, verdict = $8,
			report = $9, job_key = $10 WHERE model = $1 AND version = $2 AND bundle = ''`, v.Model, v.Version, string(v.Bundle), string(v.Judged),
			string(v.Snapshot), string(v.Record), micros(v.SeenUntil), v.Verdict, text(v.Report), v.Key)
		if err != nil {
			return err
		}
		kept, err = scanVersion(t.row(ctx, selectVersion+` WHERE model = $1 AND version = $2`, v.Model, v.Version))
		switch {
		case err != nil:
			return found(err, "the version cannot be read", "there is no version %s", v.Ref)
		case n == 0 && kept.Key == v.Key && v.Key != "":
			return nil
		case n == 0:
			return fault.New(fault.Conflict, "%s was judged already", v.Ref).Do("register it again to have it judged on newer rows")
		}
		if err := t.remember(ctx, pastVersion, v.Model, strconv.Itoa(v.Version), judged); err != nil {
			return err
		}
		return t.feed(ctx, evs)
	})
	if err != nil {
		return registry.Version{}, err
	}
	return kept, nil
}
