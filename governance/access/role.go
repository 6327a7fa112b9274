// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"strings"

	"flyball/fault"
)

// Role is a set of permissions that people and machines are given together.
type Role struct {
	Name    string       `json:"name"`
	About   string       `json:"about"`
	Machine bool         `json:"machine"` // for programs: it signs in by token alone
	May     []Permission `json:"may"`
}

// Roles are the eight roles of people and the five of machines, in the order in which
// they are shown. Nobody has them all on purpose: who trains a model does not approve it,
// who keeps the users does not change what the records say.
func Roles() []Role {
	return []Role{
		{"viewer", "sees how things stand, and no rows", false, []Permission{Read}},
		{"data-engineer", "keeps sources, checks and pipelines", false, []Permission{Read, Rows, Apply, Train, Ack}},
		{"data-scientist", "logs runs, registers versions, proposes releases", false, []Permission{Read, Rows, Predict, Track, Apply, Train, Propose, Ack}},
		{"ml-engineer", "runs the loop: releases, holds, the way back", false, []Permission{Read, Rows, Predict, Track, Apply, Train, Propose, Operate, Retreat, Glass, Ack}},
		{"validator", "judges models that others made", false, []Permission{Read, Rows, Fairness, Approve, Ack}},
		{"owner", "answers for what a model is used for", false, []Permission{Read, Retreat, Approve, Ack}},
		{"auditor", "reads everything and changes nothing", false, []Permission{Read, Rows, Fairness, Audit}},
		{"admin", "keeps users, keys and what is stored", false, []Permission{Read, Glass, Audit, Users, Keep, Backup, Clock}},
		{"ci", "applies model files and proposes releases", true, []Permission{Read, Track, Apply, Train, Propose}},
		{"trainer", "logs runs and registers versions", true, []Permission{Read, Track}},
		{"monitor", "looks, and asks for a training", true, []Permission{Read, Train}},
		{"app", "asks for predictions and tells truths", true, []Permission{Predict}},
		{"replica", "answers predictions in the place of the server that decides", true, []Permission{Serve}},
	}
}

// RoleOf is the role of a name. One that there is not is an Invalid fault that names all.
func RoleOf(name string) (Role, error) {
	roles := Roles()
	for _, r := range roles {
		if r.Name == name {
			return r, nil
		}
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Name
	}
	return Role{}, fault.New(fault.Invalid, "there is no role %q", name).Do("choose among %s", strings.Join(names, ", "))
}

// Grant gives a role, for one model or for everything.
type Grant struct {
	Role  string `json:"role"`
	Model string `json:"model,omitempty"` // empty: all models, and what belongs to none
}

// allows says whether the grant gives the permission on the model.
func (g Grant) allows(p Permission, model string) bool { return g.held().allows(p, model) }

// BreakGlass is the role of whoever broke the glass of a model, while that holds. Nobody
// can be given it.
const BreakGlass = "break-glass"

// broken is what a broken glass gives.
func broken(model string) held {
	return held{Grant{Role: BreakGlass, Model: model}, []Permission{Read, Propose, Operate}}
}

// held is a grant with what its role may, looked up once and not for each request.
type held struct {
	Grant
	may []Permission
}

func (g Grant) held() held {
	r, err := RoleOf(g.Role)
	if err != nil { // a role of a newer release gives nothing
		return held{Grant: g}
	}
	return held{Grant: g, may: r.May}
}

func allHeld(gs []Grant) []held {
	out := make([]held, len(gs))
	for i, g := range gs {
		out[i] = g.held()
	}
	return out
}

// allows says whether the grant gives the permission on the model; an empty model is
// what belongs to none, such as the list of runs.
func (h held) allows(p Permission, model string) bool {
	return (h.Model == "" || h.Model == model) && slices.Contains(h.may, p)
}
