// SPDX-License-Identifier: Apache-2.0

package training

import (
	"context"
	"maps"
	"slices"

	"flyball/blob"
	"flyball/model"
)

func readBlob(ctx context.Context, blobs blob.Store, d blob.Digest) ([]byte, error) {
	return blob.ReadAll(ctx, blobs, d, maxSource)
}

// files compares two bundles file by file. A bundle that cannot be read shows as
// one without files.
func (t *Trainer) files(ctx context.Context, recorded, again blob.Digest) []Comparison {
	digests := func(d blob.Digest) map[string]blob.Digest {
		m, err := model.ReadManifest(ctx, t.Blobs, d)
		if err != nil {
			return nil
		}
		return m.Files
	}
	a, b := digests(recorded), digests(again)
	var out []Comparison
	for _, name := range slices.Sorted(maps.Keys(a)) {
		out = append(out, Comparison{name, string(a[name]), string(b[name])})
	}
	return out
}
