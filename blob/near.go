// SPDX-License-Identifier: Apache-2.0

package blob

import (
	"context"
	"io"

	"flyball/fault"
)

// Near is a store that reads through a folder: what was read once is read there again,
// also while the store behind is away. It puts into the store behind alone. All methods
// may be called at once.
type Near struct {
	Store          // where everything is
	Folder *Bucket // what was read before
}

// Open reads a blob from the folder, where it is, else from behind, and then it is there.
// It is verified in both.
func (n Near) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	r, err := n.Folder.Open(ctx, d)
	if err == nil || !fault.Is(err, fault.NotFound) {
		return r, err
	}
	far, err := n.Store.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	_, _, err = n.Folder.Put(ctx, far)
	if closed := far.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return n.Folder.Open(ctx, d)
}
