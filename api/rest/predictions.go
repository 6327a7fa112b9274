// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flyball/governance/access"
	"flyball/ident"
	"flyball/serving/prediction"
)

// Picked selects predictions of a model; huma reads it where it is embedded.
type Picked struct {
	OfModel
	From     time.Time `query:"from" doc:"event time at or after"`
	To       time.Time `query:"to" doc:"event time before"`
	Since    time.Time `query:"since" doc:"answered at or after"`
	Key      string    `query:"key" doc:"the caller's key"`
	ID       string    `query:"id" doc:"the prediction's id"`
	Version  int       `query:"version" minimum:"0" doc:"answered by this version"`
	Arm      string    `query:"arm" enum:"live,candidate,baseline,fallback" doc:"answered in this role"`
	Decision string    `query:"decision"`
	Flag     string    `query:"flag" doc:"with this flag, such as unseen:agent or unseen"`
	Truth    string    `query:"truth" enum:"known,waiting" doc:"with a label, or without"`
}

func (p *Picked) query() prediction.Query {
	return prediction.Query{
		Model: p.Model, From: p.From, To: p.To, Since: p.Since, Key: p.Key, ID: ident.PredictionID(p.ID),
		Version: p.Version, Arm: p.Arm, Decision: p.Decision, Flag: p.Flag, Truth: p.Truth, Reasons: true,
	}
}

func (f *face) predictionRoutes() {
	type newest struct {
		Picked
		Last int `query:"last" minimum:"1" maximum:"10000" default:"100" doc:"the newest so many"`
	}
	route(f.then(), access.Rows, http.MethodGet, "/v1/models/{model}/predictions", "predictions", "Predictions with their truths",
		func(ctx context.Context, in *newest) (*body[[]prediction.Joined], error) {
			q := in.query()
			q.Last = in.Last
			out := []prediction.Joined{}
			err := f.Log.Scan(ctx, q, func(j prediction.Joined) error { out = append(out, j); return nil })
			return answer(out, err)
		})
	route(f.then(), access.Rows, http.MethodGet, "/v1/models/{model}/predictions/export", "export-predictions", "All predictions with their truths, one a line of JSON; the last line is {}",
		func(_ context.Context, in *Picked) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(c huma.Context) { f.exportPredictions(c, in.query()) }}, nil
		})
}

// exportPredictions streams predictions as lines of JSON. Without its last line, {}, the
// answer broke off.
func (f *face) exportPredictions(c huma.Context, q prediction.Query) {
	c.SetHeader("Content-Type", "application/x-ndjson")
	out := bufio.NewWriterSize(c.BodyWriter(), 1<<16)
	lines := json.NewEncoder(out)
	err := f.Log.Scan(c.Context(), q, func(j prediction.Joined) error { return lines.Encode(j) })
	if err == nil {
		err = lines.Encode(struct{}{})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil && c.Context().Err() == nil {
		f.Logger.ErrorContext(c.Context(), "the export of predictions broke off", "model", q.Model, "error", err)
	}
}
