// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"context"
	"net/http"

	"flyball/api/wire"
	"flyball/governance/access"
	"flyball/governance/maturity"
	"flyball/unit"
)

// Counted is over how long delivery is counted; huma reads it where it is embedded.
type Counted struct {
	Window string `query:"window" doc:"such as 90d (the default)"`
}

func (c Counted) window() (unit.Duration, error) {
	if c.Window == "" {
		return unit.Duration(maturity.Window), nil
	}
	return unit.ParseDuration(c.Window)
}

// maturityRoutes say how far the work on models has come, and take the word of people and
// programs on work that is done elsewhere.
func (f *face) maturityRoutes() {
	type none struct{}
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/maturity", "maturity-all", "How far the work on all models has come that the caller may see",
		func(ctx context.Context, _ *none) (*body[wire.Organisation], error) {
			return answer(f.Control.Maturities(ctx, visible(ctx)))
		})
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/maturity", "maturity", "How far the work on a model has come, check by check",
		func(ctx context.Context, in *OfModel) (*body[wire.Maturity], error) {
			return answer(f.Control.Maturity(ctx, in.Model))
		})
	anywhere(f.then(), access.Read, http.MethodGet, "/v1/delivery", "delivery-all", "Delivery figures of all models that the caller may see",
		func(ctx context.Context, in *Counted) (*body[[]wire.Delivery], error) {
			window, err := in.window()
			if err != nil {
				return nil, err
			}
			return answer(f.Control.Deliveries(ctx, window.D(), visible(ctx)))
		})
	type delivery struct {
		OfModel
		Counted
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/delivery", "delivery", "Delivery figures of a model: lead time, frequency, failures, time to restore",
		func(ctx context.Context, in *delivery) (*body[wire.Delivery], error) {
			window, err := in.window()
			if err != nil {
				return nil, err
			}
			return answer(f.Control.Delivery(ctx, in.Model, window.D()))
		})
	type attest struct{ Body wire.Attest }
	anywhere(f, access.Retreat, http.MethodPost, "/v1/attestations", "attest", "Say that a check holds though the work is done elsewhere: a person whose role answers for the model",
		func(ctx context.Context, in *attest) (*body[wire.Attestation], error) {
			a := maturity.Attestation{Check: in.Body.Check, Model: in.Body.Model, Why: in.Body.Why}
			if in.Body.For != 0 {
				a.Until = f.Now().Add(in.Body.For.D())
			}
			if err := access.From(ctx).Allow(access.Retreat, a.Model); err != nil {
				return nil, err
			}
			return answer(f.Control.Attest(ctx, a))
		})
	type report struct{ Body wire.ReportTest }
	anywhere(f, access.Track, http.MethodPost, "/v1/reports", "report", "Tell what tests, builds and deployments elsewhere came to",
		func(ctx context.Context, in *report) (*body[wire.TestReport], error) {
			b := in.Body
			if err := access.From(ctx).Allow(access.Track, b.Model); err != nil {
				return nil, err
			}
			return answer(f.Control.Report(ctx, maturity.Report{Suite: b.Suite, Target: b.Target, Status: b.Status, Model: b.Model, Version: b.Version, Link: b.Link}))
		})
}

// visible says which models whoever asks may see.
func visible(ctx context.Context) func(model string) bool {
	who := access.From(ctx)
	return func(model string) bool { return who.May(access.Read, model) }
}
