// SPDX-License-Identifier: Apache-2.0

package serving

import (
	"context"
	"slices"
	"time"

	"flyball/fault"
)

// Stats are what this process counted of a model since it was first asked for here.
type Stats struct {
	Model    string    `json:"model"`
	Since    time.Time `json:"since"`
	Requests int64     `json:"requests"` // let in, whatever came of them
	Rows     int64     `json:"rows"`     // answered
	Refused  int64     `json:"refused"`  // requests, for their input
	Failed   int64     `json:"failed"`   // requests, for any other reason
	Turned   int64     `json:"turned_away"`

	InFlight int64 `json:"in_flight"`
	Waiting  int64 `json:"waiting"`

	// Of the requests that were answered in the last minute or two, in seconds, rounded up
	// by at most an eighth; 0 where there were none.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`

	Versions []HeldVersion `json:"versions"` // loaded, rising
}

// HeldVersion is a version that is loaded.
type HeldVersion struct {
	Version int    `json:"version"`
	State   string `json:"state"`
	Bytes   int64  `json:"bytes"` // of memory, as its scorer tells; 0: it cannot tell
}

// Stats are those of a model. A model of which nothing was asked and nothing is loaded is
// a NotFound fault.
func (s *Server) Stats(ctx context.Context, model string) (Stats, error) {
	out := Stats{Model: model, Versions: []HeldVersion{}}
	all, err := s.Index(ctx)
	if err != nil {
		return out, err
	}
	for _, h := range all {
		if h.Model == model && h.State != Unavailable {
			out.Versions = append(out.Versions, HeldVersion{h.Version, h.State, h.Bytes})
		}
	}
	slices.SortFunc(out.Versions, func(a, b HeldVersion) int { return a.Version - b.Version })
	kept, ok := s.meters.Load(model)
	if !ok {
		if len(out.Versions) == 0 {
			return out, fault.New(fault.NotFound, "nothing of %q is loaded here", model)
		}
		return out, nil
	}
	m := kept.(*meter) //nolint:forcetypeassert // nothing else is put there
	out.Since, out.Requests, out.Rows = m.since, m.requests.Load(), m.rows.Load()
	out.Refused, out.Failed, out.Turned = m.refused.Load(), m.failed.Load(), m.turned.Load()
	out.InFlight, out.Waiting = m.inside.Load(), m.waiting.Load()
	q := m.latency.quantiles(time.Now(), 0.5, 0.99, 1)
	out.P50, out.P99, out.Max = q[0].Seconds(), q[1].Seconds(), q[2].Seconds()
	return out, nil
}
