// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"fmt"
	"io"

	"flyball/event"
	"flyball/governance/audit"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/training"
)

// Brought says where a version of an archive is now.
type Brought struct {
	Ref     string `json:"ref" doc:"what it is here"`
	From    string `json:"from" doc:"what it was where it was made"`
	Added   bool   `json:"added" doc:"false: it was here already"`
	Missing int    `json:"missing,omitempty" doc:"files of its data that were left out of the archive and are not here: it cannot be made again"`
}

// ImportVersion brings the version of an archive (training.WriteTar) in, once: first its
// bytes, which nobody sees, then the version in one transaction. It comes with the verdict
// of the gate where it was made, and nothing releases it by itself. An archive that is not
// whole, or does not score its golden rows here as there, brings nothing in.
func (s *Service) ImportVersion(ctx context.Context, by string, archive io.Reader) (Brought, error) {
	got, err := training.Arrive(ctx, archive, s.opts.Blobs, s.opts.Decoders)
	if err != nil {
		return Brought{}, err
	}
	v := got.Version
	now := s.now(ctx)
	v.Key = fmt.Sprintf("archive %s/%s", v.Bundle, v.Record) // of a job elsewhere: here another may have it
	v.UpdatedAt = now
	v.Source, v.Location, v.Aliases = "", "", nil
	floor := registry.Version{
		Bundle: got.Floor, Snapshot: v.Snapshot, Record: v.Record, SeenUntil: v.SeenUntil, Verdict: v.Verdict, Cause: v.Cause,
		CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, Key: v.Key, UpdatedAt: now,
	}
	kept, added, err := s.opts.Store.BringVersion(ctx, v, floor, func(ref ident.Ref) (audit.Record, event.Event) {
		why := fmt.Sprintf("an archive of %s, made %s by %s", got.Version.Ref, v.CreatedAt.UTC().Format("2 Jan 2006"), v.CreatedBy)
		return audit.Record{At: now, Actor: by, Action: "import", Object: ref.String(), Why: why}, event.Event{
			At: now, Model: ref.Model, By: by, Mark: event.OK, Kind: "import", Text: fmt.Sprintf("v%d came from %s", ref.Version, why),
			Command: "flyball gate " + ref.String(),
		}
	})
	return Brought{Ref: kept.Ref.String(), From: got.Version.Ref.String(), Added: added, Missing: len(got.Missing)}, err
}
