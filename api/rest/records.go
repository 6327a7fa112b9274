// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flyball/asof"
	"flyball/event"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/job"
	"flyball/model/registry"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

func (f *face) recordRoutes() {
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions", "versions", "Versions, newest first",
		func(ctx context.Context, in *OfModel) (*body[[]registry.Version], error) {
			vs, err := f.Control.Versions(ctx, in.Model)
			if err == nil && len(vs) == 0 {
				err = f.Control.Known(ctx, in.Model)
			}
			return answer(vs, err)
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/aliases", "aliases", "Every move of an alias, newest first",
		func(ctx context.Context, in *OfModel) (*body[[]registry.Move], error) {
			moves, err := f.Store.AliasHistory(ctx, in.Model)
			if err == nil && len(moves) == 0 {
				err = f.Control.Known(ctx, in.Model)
			}
			return answer(moves, err)
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/releases", "releases", "Releases, newest first",
		func(ctx context.Context, in *OfModel) (*body[[]release.State], error) {
			return answer(f.Store.Releases(ctx, in.Model))
		})
	type findings struct {
		OfModel
		Open bool `query:"open" doc:"only those that hold now"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/findings", "findings", "What monitoring found",
		func(ctx context.Context, in *findings) (*body[[]monitoring.Finding], error) {
			found, err := f.Store.Findings(ctx, in.Model, in.Open)
			return answer(monitoring.Advised(found), err)
		})
	type standing struct {
		OfModel
		Version int `query:"version" minimum:"0" doc:"default: the live one"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/standing", "standing", "Drift and performance by the newest rows, with and without labels",
		func(ctx context.Context, in *standing) (*body[monitoring.Standing], error) {
			return answer(f.Control.Standing(ctx, in.Model, in.Version))
		})
	type groups struct {
		OfModel
		Version int    `query:"version" minimum:"0" doc:"default: the live one"`
		Window  string `query:"window" doc:"whole days, such as 28d (the default)"`
	}
	route(f.then(), access.Fairness, http.MethodGet, "/v1/models/{model}/groups", "groups", "What a version does for each group of rows; never of one row",
		func(ctx context.Context, in *groups) (*body[monitoring.GroupsSeen], error) {
			var window unit.Duration
			if in.Window != "" {
				var err error
				if window, err = unit.ParseDuration(in.Window); err != nil {
					return nil, err
				}
			}
			return answer(f.Control.Groups(ctx, in.Model, in.Version, window.D()))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/jobs", "jobs", "Background work of a model, newest first",
		func(ctx context.Context, in *OfModel) (*body[[]job.Job], error) {
			return answer(f.Control.Jobs(ctx, in.Model, 100))
		})
	type one struct {
		ID string `path:"id"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/jobs/{id}", "job", "One piece of background work",
		func(ctx context.Context, in *one) (*body[job.Job], error) { return answer(f.Control.Job(ctx, in.ID)) })
}

// events gives the feed: as JSON, or, to an Accept of text/event-stream, as a stream
// that begins after the Last-Event-ID or the parameter after and goes on.
func (f *face) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64) // absent or wrong: from the start
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		after, _ = strconv.ParseInt(id, 10, 64)
	}
	model := q.Get("model")
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		var evs []event.Event
		var err error
		if last, _ := strconv.Atoi(q.Get("last")); last > 0 {
			evs, err = f.Store.LastEvents(r.Context(), model, min(last, 1000))
		} else {
			evs, err = f.Store.Events(r.Context(), after, model, 1000)
		}
		if err != nil {
			f.writeProblem(w, r, err)
			return
		}
		if evs == nil {
			evs = []event.Event{}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(evs) // the caller may have gone
		return
	}
	if _, past := asof.At(r.Context()); past {
		f.writeProblem(w, r, fault.New(fault.Invalid, "a stream tells what happens from now on").Do("ask for JSON for what had happened by a moment"))
		return
	}
	f.stream(w, r, after, model)
}

// stream writes events as they come until the caller goes or the server stops; a
// comment every ten seconds shows that the silence is real.
func (f *face) stream(w http.ResponseWriter, r *http.Request, after int64, model string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	beat := time.NewTicker(10 * time.Second)
	defer beat.Stop()
	for {
		changed := f.Store.Changed()
		if _, err := f.desk.Again(r, access.Read); err != nil { // signed out, or lost the role
			return
		}
		evs, err := f.Store.Events(r.Context(), after, model, 1000)
		if err != nil {
			return
		}
		for _, e := range evs {
			raw, err := json.Marshal(e)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: happening\ndata: %s\n\n", e.Seq, raw); err != nil {
				return
			}
			after = e.Seq
		}
		if out.Flush() != nil {
			return
		}
		if len(evs) == 1000 {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-beat.C:
			if _, err := fmt.Fprintf(w, "event: beat\ndata: %s\n\n", f.Now().UTC().Format(time.RFC3339)); err != nil {
				return
			}
		}
	}
}
