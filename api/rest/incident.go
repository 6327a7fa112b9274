// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"slices"

	"flyball/api/wire"
	"flyball/governance/access"
)

// incidentRoutes are about what went wrong, and about who broke the glass.
func (f *face) incidentRoutes() {
	type list struct {
		InModel
		Open bool `query:"open" doc:"only those that are open"`
	}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/incidents", "incidents", "What went wrong, and what was learnt from it",
		func(ctx context.Context, in *list) (*body[[]wire.Incident], error) {
			if err := in.allow(ctx); err != nil {
				return nil, err
			}
			all, err := f.Control.Incidents(ctx, in.Model, in.Open)
			who := access.From(ctx)
			return answer(slices.DeleteFunc(all, func(i wire.Incident) bool { return !who.May(access.Read, i.Model) }), err)
		})
	type open struct {
		OfModel
		Body wire.Change
	}
	route(f, access.Ack, http.MethodPost, "/v1/models/{model}/incidents", "incident-open", "Open an incident by hand",
		func(ctx context.Context, in *open) (*body[wire.Incident], error) {
			return answer(f.Control.OpenIncident(ctx, in.Model, in.Body.Why))
		})
	type closing struct {
		OfModel
		Body wire.Learnt
	}
	route(f, access.Ack, http.MethodPost, "/v1/models/{model}/incidents/close", "incident-close", "Close an incident with its cause and what was changed because of it",
		func(ctx context.Context, in *closing) (*body[wire.Incident], error) {
			return answer(f.Control.CloseIncident(ctx, in.Model, in.Body))
		})
	type glass struct {
		OfModel
		Body wire.Break
	}
	route(f, access.Glass, http.MethodPost, "/v1/models/{model}/break-glass", "break-glass", "Need nobody's leave for two hours, on record for ever; or end that",
		func(ctx context.Context, in *glass) (*body[wire.Changed], error) {
			if in.Body.End {
				return answer(f.Control.EndGlass(ctx, in.Model))
			}
			return answer(f.Control.BreakGlass(ctx, in.Model, in.Body.Why))
		})
}
