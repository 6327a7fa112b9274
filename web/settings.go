// SPDX-License-Identifier: Apache-2.0

package web

import (
	"net/http"
	"strings"

	"flyball/fault"
	"flyball/governance/access"
)

// settingsView is what the page of settings shows.
type settingsView struct {
	Frame    frame
	Headline []span
	More     string
	Guarded  bool
	May      []access.Permission
	Tokens   []tokenRow
	Users    []userRow // for who keeps users
}

// tokenRow is a token of the reader's.
type tokenRow struct {
	ID, About, Scope, Made, Until, State string
	Good                                 bool
}

// userRow is a user.
type userRow struct{ Name, Roles, Mail, State string }

// settings shows who the reader is, what they may, and their tokens.
func (p *pages) settings(w http.ResponseWriter, r *http.Request) {
	who := access.From(r.Context())
	f := frame{Title: "Settings", Here: "settings", Command: "flyball whoami", Crumbs: []crumb{{"Flyball", "/"}, {"Settings", ""}}}
	v := settingsView{Frame: f, Guarded: p.Door != nil && p.Door.Guarded()}
	if !v.Guarded {
		v.Headline = []span{{"There are no users", true}, {", so whoever uses this machine may everything.", false}}
		v.More = "flyball users add NAME --role admin makes the first one; from then on whoever asks signs in."
		p.show(w, r, http.StatusOK, "settings.html", v)
		return
	}
	v.Headline = []span{{"You are ", false}, {who.Name, true}, {": " + grantsOf(who.Grants()) + ".", false}}
	for _, x := range access.Permissions() {
		if who.May(x, "") {
			v.May = append(v.May, x)
		}
	}
	for _, t := range p.Door.Tokens(who.Name) {
		row := tokenRow{ID: t.ID, About: t.About, Scope: "all that you may", Made: t.CreatedAt.Format("2 Jan 2006"), Until: t.ExpiresAt.Format("2 Jan 2006"), State: "no longer good"}
		if len(t.Scope.May) > 0 || len(t.Scope.Models) > 0 {
			row.Scope = scopeOf(t.Scope)
		}
		if t.Left(p.Door.Now()) > 0 {
			row.State, row.Good = "good", true
		}
		v.Tokens = append(v.Tokens, row)
	}
	if who.May(access.Users, "") {
		for _, u := range p.Door.Users() {
			row := userRow{u.Name, grantsOf(u.Grants), u.Mail, "active"}
			if u.Disabled {
				row.State = "disabled"
			}
			v.Users = append(v.Users, row)
		}
	}
	p.show(w, r, http.StatusOK, "settings.html", v)
}

func grantsOf(gs []access.Grant) string {
	out := make([]string, len(gs))
	for i, g := range gs {
		out[i] = g.Role
		if g.Model != "" {
			out[i] += " of " + g.Model
		}
	}
	if len(out) == 0 {
		return "no role"
	}
	return strings.Join(out, ", ")
}

func scopeOf(s access.Scope) string {
	may := make([]string, len(s.May))
	for i, x := range s.May {
		may[i] = string(x)
	}
	return strings.TrimSpace(strings.Join(may, ", ") + " " + strings.Join(s.Models, ", "))
}

// endToken takes a token back, and shows the page again.
func (p *pages) endToken(w http.ResponseWriter, r *http.Request) {
	err := error(fault.New(fault.NotFound, "there are no tokens"))
	if p.Door != nil {
		err = p.Door.EndToken(r.Context(), access.From(r.Context()), r.FormValue("id"))
	}
	p.backToSettings(w, r, err)
}

// newPassword changes the reader's password, and has them sign in anew.
func (p *pages) newPassword(w http.ResponseWriter, r *http.Request) {
	err := error(fault.New(fault.NotFound, "there are no users"))
	if p.Door != nil {
		_, err = p.Door.SetPassword(r.Context(), access.From(r.Context()), r.FormValue("old"), r.FormValue("new"))
	}
	p.backToSettings(w, r, err)
}

func (p *pages) backToSettings(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) { // the old password
			err = fault.New(fault.Invalid, "the old password is wrong")
		}
		p.refuse(w, r, frame{Title: "Settings", Here: "settings", Command: "flyball whoami", Crumbs: []crumb{{"Flyball", "/"}, {"Settings", "/settings"}, {"Not done", ""}}}, err)
		return
	}
	protect(w)
	http.Redirect(w, r, "/settings", http.StatusSeeOther)
}
