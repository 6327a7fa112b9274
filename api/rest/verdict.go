// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"flyball/experiment/gate"
	"flyball/experiment/gate/report"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/model/registry"
)

// asVerdict asks for the verdict of a version in a form.
type asVerdict struct {
	OfVersion
	Format string `query:"format" enum:"json,markdown,html" doc:"empty: as Accept says, else json"`
	Accept string `header:"Accept" hidden:"true"`
}

// shownVerdict is a verdict in the form that was asked for.
type shownVerdict struct {
	Type string `header:"Content-Type"`
	Vary string `header:"Vary"`
	Body []byte
}

// verdictRoute answers with what the gate said of a version: as it was kept, as a comment on
// a change, or as a page. Exit codes in these are those of flyball gate.
func (f *face) verdictRoute() {
	route(f.then(), access.Read, http.MethodGet, "/v1/models/{model}/versions/{version}/gate", "verdict", "What the gate said of a version, as JSON, Markdown or HTML",
		func(ctx context.Context, in *asVerdict) (*shownVerdict, error) {
			vs, err := f.Control.Versions(ctx, in.Model)
			if err == nil && len(vs) == 0 {
				err = f.Control.Known(ctx, in.Model)
			}
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(vs, func(v registry.Version) bool { return v.Version == in.Version })
			switch {
			case i < 0:
				return nil, fault.New(fault.NotFound, "there is no version %s@%d", in.Model, in.Version).Do("see flyball versions %s", in.Model)
			case vs[i].Verdict == "":
				return nil, fault.New(fault.NotFound, "the gate has not judged %s", vs[i].Ref).Do("have it judged: flyball gate %s", vs[i].Ref)
			}
			return showVerdict(vs[i], form(in.Format, in.Accept))
		})
}

// form is the form that is asked for: by name, else the first that Accept names.
func form(format, accept string) string {
	if format != "" {
		return format
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "text/markdown":
			return "markdown"
		case "text/html":
			return "html"
		case "application/json":
			return "json"
		}
	}
	return "json"
}

func showVerdict(v registry.Version, form string) (*shownVerdict, error) {
	out := &shownVerdict{Type: "application/json", Vary: "Accept", Body: v.Report}
	if form == "json" {
		return out, nil
	}
	var verdict gate.Verdict
	if err := json.Unmarshal(v.Report, &verdict); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the report of %s cannot be read", v.Ref)
	}
	code := 0
	if !verdict.Pass {
		code = 3
	}
	r := report.Of(v, verdict, code)
	if form == "markdown" {
		out.Type, out.Body = "text/markdown; charset=utf-8", []byte(r.Markdown())
		return out, nil
	}
	var b bytes.Buffer
	err := r.HTML(&b)
	out.Type, out.Body = "text/html; charset=utf-8", b.Bytes()
	return out, err
}
