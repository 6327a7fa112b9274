// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"io"
	"math"

	"flyball/fault"
	"flyball/ident"
	"flyball/model/registry"
	"flyball/training"
)

// made is a version that was trained here.
func (s *Service) made(ctx context.Context, model string, version int) (registry.Version, error) {
	v, err := s.opts.Store.Version(ctx, ident.Ref{Model: model, Version: version})
	if err == nil && v.Source != "" {
		err = fault.New(fault.Refused, "%s was trained elsewhere, so it cannot be made again here", v.Ref)
	}
	return v, err
}

// ExportVersion writes a version as one archive (training.WriteTar), with its data or
// with the digests of it.
func (s *Service) ExportVersion(ctx context.Context, w io.Writer, model string, version int, data bool) error {
	v, err := s.Version(ctx, ident.Ref{Model: model, Version: version})
	if err != nil {
		return err
	}
	return training.WriteTar(ctx, w, s.opts.Blobs, v, data)
}

// ReproducedOf is a reproduction as it is told.
func ReproducedOf(ref ident.Ref, r training.Reproduction) Reproduced {
	out := Reproduced{Ref: ref.String(), Grade: r.Grade, Expected: r.Expected, Seconds: r.Seconds}
	if !math.IsInf(r.Apart, 0) && !math.IsNaN(r.Apart) {
		out.Apart = &r.Apart
	}
	for _, part := range []struct {
		name string
		all  []training.Comparison
	}{{"input", r.Inputs}, {"output", r.Outputs}, {"machine", r.Machine}} {
		for _, c := range part.all {
			out.Table = append(out.Table, Compared{Part: part.name, What: c.What, Recorded: c.Recorded, Again: c.Again, Equal: c.Equal()})
		}
	}
	return out
}
