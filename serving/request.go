// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"

	"flyball/data/frame"
	"flyball/ident"
	"flyball/model"
)

// Request is rows to be answered, one way or the other.
type Request struct {
	Model   string
	Version int               // asked by number; 0: as the route decides
	Rows    []json.RawMessage // JSON objects as the caller sent them, or
	Frame   *frame.Frame      // columns, where Rows is nil
	Explain bool              // say why, beside each answer
}

// Shelf is the models that are scored as they are: versions asked for by number or
// alias, and models that have no model file. What it scores is neither routed, nor
// monitored, nor kept in the log. All methods may be called at once.
type Shelf interface {
	// Use lends the bundle of a version, loading it where it is not; back must be
	// called after the last use of it. A name without version or alias is the alias
	// "champion" where there is one, else the newest version.
	Use(ctx context.Context, name ident.Name) (b *model.Bundle, version int, back func(), err error)

	// Load has a version ready, or says why not; Unload lets it go.
	Load(ctx context.Context, name ident.Name) error
	Unload(ctx context.Context, name ident.Name) error

	// Index is every version that could be used, and how it stands.
	Index(ctx context.Context) ([]Held, error)
}

// Held is a version on the shelf.
type Held struct {
	Model   string
	Version int
	State   string // READY, LOADING, UNLOADING or UNAVAILABLE, as the Open Inference Protocol says
	Reason  string // of UNAVAILABLE
	Bytes   int64  // estimated memory; 0 where it is not loaded
}
