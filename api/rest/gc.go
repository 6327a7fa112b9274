// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flyball/api/wire"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/retention"
)

// collect removes for good what was deleted, and answers with a wire.Collecting for
// each step, as lines of JSON. A caller that goes away stops it; another call goes on.
func (f *face) collect(w http.ResponseWriter, r *http.Request) {
	var in wire.CollectRequest
	read := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	read.DisallowUnknownFields()
	if err := read.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		f.writeProblem(w, r, fault.Wrap(err, fault.Invalid, "the request cannot be read"))
		return
	}
	p := f.Retention
	if in.OlderThan != nil {
		p.Keep = in.OlderThan.D()
	}
	if in.Grace != nil {
		p.Grace = in.Grace.D()
	}
	out := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	told := time.Time{}
	say := func(c wire.Collecting) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_ = lines.Encode(c) // the caller may have gone
		_ = out.Flush()
		told = time.Now()
	}
	result, err := f.Collector.Collect(r.Context(), access.Actor(r.Context()), p, in.DryRun, func(s retention.Step) {
		if time.Since(told) > 200*time.Millisecond {
			say(wire.Collecting{Step: &s})
		}
	})
	switch {
	case err == nil:
		say(wire.Collecting{Result: &result})
	case told.IsZero():
		f.writeProblem(w, r, err)
	default:
		if m, ok := errors.AsType[*huma.ErrorModel](f.problem(r.Context(), err)); ok {
			say(wire.Collecting{Problem: &wire.Problem{Status: m.Status, Title: m.Title, Detail: m.Detail}})
		}
	}
}
