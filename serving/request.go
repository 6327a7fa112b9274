// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"encoding/json"

	"flyball/data/frame"
	"flyball/fault"
	"flyball/ident"
	"flyball/model"
)

// Request is rows to be answered, one way or the other.
type Request struct {
	Model   string
	Version int               // asked by number; 0: as the route decides
	Alias   string            // asked by alias; empty or "live": as the route decides
	Rows    []json.RawMessage // JSON objects as the caller sent them, or
	Frame   *frame.Frame      // columns, where Rows is nil; Describe tells which
	Explain bool              // say why, beside each answer
	Audit   []json.RawMessage // the groups of each row, a JSON object or null, where the model file takes them; empty: none
}

// Ask is a request's model by the name that a caller gave.
func Ask(n ident.Name) Request { return Request{Model: n.Model, Version: n.Version, Alias: n.Alias} }

// name is what the request asks for; the alias that means "as the route decides" is
// left out.
func (r *Request) name() ident.Name {
	n := ident.Name{Model: r.Model, Version: r.Version, Alias: r.Alias}
	if n.Alias == routed {
		n.Alias = ""
	}
	return n
}

// routed is the alias that leaves it to the route, as no alias does.
const routed = "live"

// rows is how many rows are asked for.
func (r *Request) rows() int {
	if r.Rows == nil && r.Frame != nil {
		return r.Frame.Rows()
	}
	return len(r.Rows)
}

// check refuses a request of no rows, or of more than most.
func (r *Request) check(most int) error {
	switch n := r.rows(); {
	case n == 0:
		return fault.New(fault.Invalid, "the request holds no rows")
	case n > most:
		return fault.New(fault.TooLarge, "%d rows in one request; at most %d are answered", n, most).
			Do("send them in several requests")
	}
	return nil
}

// Shelf is the models that are scored as they are: versions asked for by number or
// alias, and models that have no model file. What it scores is neither routed, nor
// monitored, nor kept in the log. All methods may be called at once.
type Shelf interface {
	// Use lends the bundle of a version, loading it where it is not; back must be
	// called after the last use of it. A name without version or alias is the alias
	// "champion" where there is one, else the newest version. What does not exist is a
	// NotFound fault; what cannot be loaded now is Unavailable, or Exhausted where there
	// is no room.
	Use(ctx context.Context, name ident.Name) (b *model.Bundle, version int, back func(), err error)

	// Load has a version ready, or says why not; Unload lets it go, and it is not used
	// again until it is loaded.
	Load(ctx context.Context, name ident.Name) error
	Unload(ctx context.Context, name ident.Name) error

	// Find is the version that a name means and how it stands; it loads nothing.
	Find(ctx context.Context, name ident.Name) (Held, error)

	// Index is every version that could be used, and how it stands.
	Index(ctx context.Context) ([]Held, error)

	// Close lets everything go that is not in use, and what is in use after that.
	Close() error
}

// Held is a version on the shelf.
type Held struct {
	Model   string
	Version int
	State   string // READY, LOADING, UNLOADING or UNAVAILABLE, as the Open Inference Protocol says
	Reason  string // of UNAVAILABLE
	Bytes   int64  // estimated memory; 0 where it is not loaded
}

// The states of a version, in the words of the Open Inference Protocol.
const (
	Ready       = "READY"
	Loading     = "LOADING"
	Unloading   = "UNLOADING"
	Unavailable = "UNAVAILABLE"
)
