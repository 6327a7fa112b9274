// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"
	"slices"

	"flyball/api/wire"
	"flyball/governance/access"
)

// approvalRoutes are about the leave that a release needs where its model has a risk.
func (f *face) approvalRoutes() {
	type none struct{}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/approvals", "approvals", "What waits for leave, of all models that the caller may see",
		func(ctx context.Context, _ *none) (*body[[]wire.Approval], error) {
			all, err := f.Control.Approvals(ctx, "")
			who := access.From(ctx)
			return answer(slices.DeleteFunc(all, func(a wire.Approval) bool { return !who.May(access.Read, a.Model) }), err)
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/approvals", "model-approvals", "All requests for leave of a model, newest first, with what was said to each",
		func(ctx context.Context, in *OfModel) (*body[[]wire.Approval], error) {
			return answer(f.Control.Approvals(ctx, in.Model))
		})
	f.say(access.Approve, "approve", "Give leave to a release that others proposed and made", f.Control.Approve)
	f.say(access.Approve, "reject", "Refuse leave: the version stays out", f.Control.Reject)
	f.say(access.Operate, "override", "Have a release go ahead without leave, as one of two", f.Control.Override)
}

// say adds a route that says one thing to a request.
func (f *face) say(permission access.Permission, what, summary string, do func(ctx context.Context, model, id string, say wire.Say) (wire.Changed, error)) {
	type said struct {
		OfModel
		ID   string `path:"id" doc:"of the request"`
		Body wire.Say
	}
	route(f, permission, http.MethodPost, "/v1/models/{model}/approvals/{id}/"+what, "approval-"+what, summary,
		func(ctx context.Context, in *said) (*body[wire.Changed], error) {
			return answer(do(ctx, in.Model, in.ID, in.Body))
		})
}
