// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"flyball/event"
	"flyball/governance/maturity"
)

// Proof is what is recorded of a model.
type Proof interface {
	Maturity(ctx context.Context, model string) (maturity.Standing, error)
}

// evidenceView is what the page of evidence shows.
type evidenceView struct {
	Frame    frame
	Headline []span
	More     string
	Levels   []levelOf
	Profiles []link
}

// levelOf is a level with its checks.
type levelOf struct {
	Name   string
	Checks []checkOf
}

// checkOf is one check.
type checkOf struct {
	Mark                         event.Mark
	ID, Word, Rule, Found, Going string // Going: what to do
}

// link leads to a document.
type link struct{ Href, Name string }

// evidence shows how far the work on a model has come, by its records, and leads to the
// documents that are made of them.
func (p *pages) evidence(w http.ResponseWriter, r *http.Request) {
	model := modelAsked(r)
	f := modelFrame(model, "evidence", "Evidence", "flyball maturity "+shell(model))
	st, err := p.Proof.Maturity(r.Context(), model)
	if err != nil {
		p.refuse(w, r, f, err)
		return
	}
	v := evidenceView{Frame: f, Headline: []span{{fmt.Sprintf("%s is at level %d of %d", model, st.Level, len(st.Levels)), true}, {".", false}}}
	if next, more := st.Next(); more {
		v.More = fmt.Sprintf("Of level %d, %d of %s hold. What cannot be told counts as missing.", next.Level, next.Hold, many(next.Of, "check"))
	}
	for _, x := range st.Results {
		for len(v.Levels) < x.Level {
			v.Levels = append(v.Levels, levelOf{Name: fmt.Sprintf("Level %d", len(v.Levels)+1)})
		}
		at := &v.Levels[x.Level-1]
		at.Checks = append(at.Checks, checkedOf(model, x))
	}
	for _, name := range []string{"ai-act", "sr-26-2", "iso-42001", "nist"} {
		q := url.Values{"profile": {name}, "format": {"html"}}
		v.Profiles = append(v.Profiles, link{"/v1/models/" + url.PathEscape(model) + "/evidence?" + q.Encode(), name})
	}
	p.show(w, r, http.StatusOK, "evidence.html", v)
}

func checkedOf(model string, x maturity.Result) checkOf {
	out := checkOf{ID: x.ID, Word: string(x.Verdict), Rule: x.Rule, Found: x.Text}
	switch x.Verdict {
	case maturity.Met, maturity.Attested:
		out.Mark = event.OK
	case maturity.NotApplicable:
		out.Mark = event.Off
	case maturity.NoEvidence:
		out.Mark, out.Going = event.None, strings.ReplaceAll(x.Next, "MODEL", model)
	default:
		out.Mark, out.Going = event.Warn, strings.ReplaceAll(x.Next, "MODEL", model)
	}
	return out
}
