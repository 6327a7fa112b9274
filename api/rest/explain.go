// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"flyball/api/wire"
	"flyball/control"
	"flyball/governance/access"
	"flyball/serving"
)

func (f *face) explainRoutes() {
	type explanation struct {
		OfModel
		ID      string `path:"id" doc:"of the prediction, or the caller's key: then the newest of it"`
		Against string `query:"against" doc:"another version on the same row: 7, candidate or model@7"`
		Flip    bool   `query:"flip" doc:"look for the smallest changes of the row that flip the decision"`
	}
	route(f.then(), access.Rows, http.MethodGet, "/v1/models/{model}/predictions/{id}/explanation", "explain", "Why a prediction was what it was",
		func(ctx context.Context, in *explanation) (*body[wire.Explained], error) {
			return answer(f.Control.Explain(ctx, in.Model, in.ID, control.Ask{Against: in.Against, Flip: in.Flip}))
		})
}

// reasons adds why the i-th row got its score, where that was asked for.
func reasons(p *wire.Prediction, a serving.Answer, i int) {
	if a.Reasons == nil {
		return
	}
	r := a.Reasons[i]
	if r == nil {
		p.Unexplained = a.Unexplained
		return
	}
	p.Reasons, p.Rest, p.Base, p.Space, p.Class = r.Top, &r.Rest, &r.Base, r.Space, r.Class
}
