// SPDX-License-Identifier: Apache-2.0

package web

import (
	"context"
	"net/http"
	"slices"

	"flyball/api"
	"flyball/control"
	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/approval"
	"flyball/model/registry"
)

// leaveView is the page that a signed link opens: what is asked, and the answer to it.
type leaveView struct {
	Frame   frame
	Link    approval.Link
	Ask     control.Approval
	Until   string
	Verdict versionView // what the gate said of the version
	Done    string      // what came of the answer; empty: it was not given yet
}

// leave shows what a link asks. It changes nothing: programs that look at mails follow
// links, too.
func (p *pages) leave(w http.ResponseWriter, r *http.Request) {
	p.linked(w, r, func(ctx context.Context, v *leaveView) error { return p.judgement(ctx, v) })
}

// answerLeave says what the form says, in the name of whom the link was made for.
func (p *pages) answerLeave(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	p.linked(w, r, func(ctx context.Context, v *leaveView) error {
		say := sayOf(r)
		say.Digest = v.Ask.Digest // the link is bound to it
		do := p.Waiting.Approve
		switch r.PostForm.Get("answer") {
		case "approve":
		case "reject":
			do = p.Waiting.Reject
		default:
			return fault.New(fault.Invalid, "the answer is approve or reject")
		}
		done, err := do(ctx, v.Link.Model, v.Link.ID, say)
		v.Done = capital(done.Text)
		return err
	})
}

// linked finds out whose link the request has, and shows what do makes of it in their name.
func (p *pages) linked(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, v *leaveView) error) {
	f := frame{Title: "Leave", Command: "flyball approvals", Crumbs: []crumb{{"Flyball", "/"}, {"Leave", ""}}}
	w.Header().Set("Cache-Control", "no-store")
	v := leaveView{Frame: f, Link: approval.Link{Model: r.FormValue("model"), ID: r.FormValue("id"), Person: r.FormValue("who"), Sign: r.FormValue("sign")}}
	who, err := p.byLink(r, &v)
	if err == nil {
		v.Frame.Command = "flyball approvals " + shell(v.Link.Model)
		v.Until = v.Ask.Expires.UTC().Format("2 Jan 15:04 UTC")
		err = do(access.With(r.Context(), who), &v)
	}
	switch e := fault.KindOf(err); {
	case err == nil:
		p.show(w, r, http.StatusOK, "leave.html", v)
	case e == fault.Exhausted:
		p.busy(w, r, err)
	case e == fault.Unauthenticated, e == fault.Denied:
		p.trouble(w, r, http.StatusForbidden, f, err)
	default:
		p.refuse(w, r, f, err)
	}
}

// byLink is whom the link was made for, within what it is for; and the request it answers.
func (p *pages) byLink(r *http.Request, v *leaveView) (access.Identity, error) {
	if p.Door == nil || !p.Door.Guarded() {
		return access.Identity{}, approval.Forged()
	}
	var err error
	if v.Ask, err = p.Waiting.Linked(r.Context(), v.Link); err != nil {
		return access.Identity{}, p.Door.Unknown(api.Address(r), err)
	}
	who, err := p.Door.ByLink(v.Link.Person, access.Scope{May: []access.Permission{access.Read, access.Approve}, Models: []string{v.Link.Model}})
	if err == nil {
		err = who.Allow(access.Approve, v.Link.Model)
	}
	return who, err
}

// judgement adds what the gate said of the version, as whoever asks may see it.
func (p *pages) judgement(ctx context.Context, v *leaveView) error {
	vs, err := p.Care.Versions(ctx, v.Link.Model)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(vs, func(of registry.Version) bool { return of.Version == v.Ask.Version })
	if i < 0 {
		return fault.New(fault.NotFound, "there is no version %s", v.Ask.Ref())
	}
	return v.Verdict.judge(vs[i])
}
