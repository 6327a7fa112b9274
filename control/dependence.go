// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"

	"flyball/blob"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
	"flyball/model/dependence"
)

// mostDependence bounds the file that is read.
const mostDependence = 64 << 20

// Dependence is how the scores of a version follow each of its columns, as it was
// measured when the version was made. A version without it is a NotFound fault.
func (s *Service) Dependence(ctx context.Context, name string, version int) (dependence.Table, error) {
	ref := ident.Ref{Model: name, Version: version}
	v, err := s.opts.Store.Version(ctx, ref)
	if err != nil {
		return dependence.Table{}, err
	}
	if v.Bundle == "" {
		return dependence.Table{}, fault.New(fault.NotFound, "%s has not been judged, so nothing of it was measured", ref).Do("flyball gate %s", ref)
	}
	m, err := model.ReadManifest(ctx, s.opts.Blobs, v.Bundle)
	if err != nil {
		return dependence.Table{}, err
	}
	d, ok := m.Files[dependence.FileName]
	if !ok {
		return dependence.Table{}, fault.New(fault.NotFound, "how the scores of %s follow its columns was not measured when it was made", ref).
			Do("flyball train %s makes a version with it", name)
	}
	raw, err := blob.ReadAll(ctx, s.opts.Blobs, d, mostDependence)
	if err != nil {
		return dependence.Table{}, err
	}
	return dependence.Decode(raw)
}
