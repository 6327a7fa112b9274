// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"flyball/governance/access"
	"flyball/governance/card"
	"flyball/governance/dossier"
)

// shown is a document in the form that was asked for.
type shown struct {
	Type  string `header:"Content-Type"`
	Vary  string `header:"Vary"`
	Guard string `header:"Content-Security-Policy"`
	Body  []byte
}

// alone lets a document do nothing but show itself.
const alone = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

// proofRoutes answer with documents of what is recorded.
func (f *face) proofRoutes() {
	type asCard struct {
		OfVersion
		Format string `query:"format" enum:"json,markdown,html,hf" doc:"empty: as Accept says, else json"`
		Accept string `header:"Accept" hidden:"true"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/card", "card", "The model card of a version, as JSON, Markdown, HTML or with the metadata of Hugging Face",
		func(ctx context.Context, in *asCard) (*shown, error) {
			c, err := f.Control.Card(ctx, in.Model, in.Version)
			if err != nil {
				return nil, err
			}
			return f.showCard(c, form(in.Format, in.Accept))
		})
	type asDossier struct {
		OfVersion
		Format string `query:"format" enum:"json,html" doc:"empty: as Accept says, else json"`
		Accept string `header:"Accept" hidden:"true"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/dossier", "version-dossier", "All that is held about a version, in one file",
		func(ctx context.Context, in *asDossier) (*shown, error) {
			d, err := f.Control.VersionDossier(ctx, in.Model, in.Version)
			return f.showDossier(d, form(in.Format, in.Accept), err)
		})
	type ofPrediction struct {
		OfModel
		ID     string `path:"id" doc:"of the prediction, or the caller's key: then the newest of it"`
		Format string `query:"format" enum:"json,html" doc:"empty: as Accept says, else json"`
		Accept string `header:"Accept" hidden:"true"`
	}
	route(f.then(), access.Rows, http.MethodGet, "/v1/models/{model}/predictions/{id}/dossier", "prediction-dossier", "All that is held about a prediction, in one file",
		func(ctx context.Context, in *ofPrediction) (*shown, error) {
			d, err := f.Control.PredictionDossier(ctx, in.Model, in.ID)
			return f.showDossier(d, form(in.Format, in.Accept), err)
		})
	type asEvidence struct {
		OfModel
		Profile string `query:"profile" required:"true" enum:"ai-act,sr-26-2,iso-42001,nist" doc:"whose headings"`
		Format  string `query:"format" enum:"json,markdown,html" doc:"empty: as Accept says, else json"`
		Accept  string `header:"Accept" hidden:"true"`
	}
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/evidence", "evidence", "What is recorded of a model and what is missing, by the headings of a law or a standard; it claims nothing",
		func(ctx context.Context, in *asEvidence) (*shown, error) {
			e, err := f.Control.Evidence(ctx, in.Model, in.Profile)
			if err != nil {
				return nil, err
			}
			form := form(in.Format, in.Accept)
			if form == "markdown" {
				return &shown{Type: "text/markdown; charset=utf-8", Vary: "Accept", Body: []byte(e.Markdown())}, nil
			}
			return f.document(e, form, func(w io.Writer) error { return e.HTML(w, f.Style) })
		})
}

func (f *face) showCard(c card.Card, form string) (*shown, error) {
	switch form {
	case "markdown":
		return &shown{Type: "text/markdown; charset=utf-8", Vary: "Accept", Body: []byte(c.Markdown())}, nil
	case "hf":
		return &shown{Type: "text/markdown; charset=utf-8", Vary: "Accept", Body: []byte(c.HuggingFace())}, nil
	}
	return f.document(c, form, func(w io.Writer) error { return c.HTML(w, f.Style) })
}

func (f *face) showDossier(d dossier.Dossier, form string, err error) (*shown, error) {
	if err != nil {
		return nil, err
	}
	return f.document(d, form, func(w io.Writer) error { return d.HTML(w, f.Style) })
}

// document is JSON, or the page where that was asked for.
func (f *face) document(v any, form string, page func(io.Writer) error) (*shown, error) {
	if form == "html" {
		var b bytes.Buffer
		err := page(&b)
		return &shown{Type: "text/html; charset=utf-8", Vary: "Accept", Guard: alone, Body: b.Bytes()}, err
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	return &shown{Type: "application/json", Vary: "Accept", Body: raw}, err
}
