// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/fault"
	"flyball/governance/access"
)

// State is how a request stands.
type State string

// The states. All but Waiting are final.
const (
	Waiting    State = "waiting"
	Approved   State = "approved"
	Overridden State = "overridden" // it goes ahead without leave
	Rejected   State = "rejected"
	Expired    State = "expired"
	Void       State = "void"     // what leave was asked for is not what it was
	Replaced   State = "replaced" // another version of the model waits in its place
)

// Goes reports whether the release may begin.
func (s State) Goes() bool { return s == Approved || s == Overridden }

// Decision is how a request stands, and why.
type Decision struct {
	State State    `json:"state"`
	Why   string   `json:"why"`             // a sentence without a period
	Needs []string `json:"needs,omitempty"` // the roles that still have to agree, while it waits
}

// Decide says how the request stands at the moment now. digest is that of its subject as
// it is now. What was said at or after its end does not count.
func (r Request) Decide(digest blob.Digest, now time.Time) Decision {
	if r.Ended != nil {
		return Decision{State: r.Ended.State, Why: r.Ended.Why}
	}
	if digest != r.Digest {
		return Decision{State: Void, Why: "what leave was asked for was changed since"}
	}
	by := map[Kind][]Given{}
	for _, g := range r.Given {
		if g.Digest == r.Digest && g.At.Before(r.Expires) {
			by[g.Kind] = append(by[g.Kind], g)
		}
	}
	if no := by[Reject]; len(no) > 0 {
		return Decision{State: Rejected, Why: "rejected by " + no[0].said()}
	}
	if a, ok := alone(by[Override]); ok {
		return Decision{State: Overridden, Why: fmt.Sprintf("nobody's leave: overridden by %s alone, who broke the glass", a.said())}
	}
	if a, b, ok := r.overridden(by[Override]); ok {
		return Decision{State: Overridden, Why: fmt.Sprintf("nobody's leave: overridden by %s, and by %s", a.said(), b.said())}
	}
	agreed, needs := r.agreed(by[Approve])
	switch {
	case len(needs) == 0:
		return Decision{State: Approved, Why: "approved by " + strings.Join(agreed, " and ")}
	case !now.Before(r.Expires):
		return Decision{State: Expired, Why: fmt.Sprintf("it had no leave from %s by %s", People(needs), r.Expires.UTC().Format("2 Jan 2006 15:04"))}
	}
	why := "it waits for " + People(needs)
	if over := by[Override]; len(over) > 0 {
		why += ", or for a second " + Engineer + " who overrides, as " + over[0].By + " does"
	}
	return Decision{State: Waiting, Why: why, Needs: needs}
}

// said is who it was and the reason, in words.
func (g Given) said() string {
	if g.Why == "" {
		return g.By
	}
	return g.By + " (" + g.Why + ")"
}

// People are roles in words: a validator and an owner.
func People(roles []string) string {
	out := make([]string, len(roles))
	for i, r := range roles {
		out[i] = "a " + r
		if strings.ContainsAny(r[:1], "aeiou") {
			out[i] = "an " + r
		}
	}
	return strings.Join(out, " and ")
}

// agreed are those who agree, in words, and the roles that still have to. Each person
// stands for one role: of all ways to say for which, one that leaves the fewest open.
func (r Request) agreed(yes []Given) (agreed, needs []string) {
	best := []string(nil)
	roles := r.Risk.Needs()
	open := len(roles) + 1
	var try func(i int, used []string, words, left []string)
	try = func(i int, used []string, words, left []string) {
		if i == len(roles) {
			if len(left) < open {
				open, best, needs = len(left), slices.Clone(words), slices.Clone(left)
			}
			return
		}
		for _, g := range yes {
			if slices.Contains(g.Roles, roles[i]) && !slices.Contains(used, g.By) && !r.own(g.By) {
				try(i+1, append(slices.Clip(used), g.By), append(slices.Clip(words), g.By+" ("+roles[i]+")"), left)
			}
		}
		try(i+1, used, words, append(slices.Clip(left), roles[i]))
	}
	try(0, nil, nil, nil)
	return best, needs
}

// alone is who overrides after breaking the glass: that takes nobody else.
func alone(over []Given) (Given, bool) {
	i := slices.IndexFunc(over, func(g Given) bool { return slices.Contains(g.Roles, access.BreakGlass) })
	if i < 0 {
		return Given{}, false
	}
	return over[i], true
}

// overridden are two people who override, one of whom at least had no hand in it.
func (r Request) overridden(over []Given) (a, b Given, ok bool) {
	for i, a := range over {
		for _, b := range over[i+1:] {
			if !strings.EqualFold(a.By, b.By) && !(r.own(a.By) && r.own(b.By)) {
				return a, b, true
			}
		}
	}
	return a, b, false
}

// Add is the request with what one person says to it now. It is a Conflict fault where
// the request does not wait, or needs nothing that the person can give; a Denied one where
// the person may not; and an Invalid one where a reason is missing.
func (r Request) Add(g Given, digest blob.Digest, now time.Time) (Request, error) {
	d := r.Decide(digest, now)
	if d.State != Waiting {
		return r, fault.New(fault.Conflict, "the request for %s does not wait any more: %s", r.Ref(), d.Why).Do("ask anew with flyball promote %s", r.Ref())
	}
	if g.Digest != "" && g.Digest != r.Digest {
		return r, fault.New(fault.Conflict, "the request for %s is about something else than what was looked at", r.Ref()).Do("see flyball approvals %s", r.Model)
	}
	if err := r.may(g); err != nil {
		return r, err
	}
	g.Digest, g.At = r.Digest, now.UTC()
	if g.Kind == Approve {
		with := r
		with.Given = append(slices.Clip(r.Given), g)
		if _, needs := with.agreed(with.approvals()); len(needs) == len(d.Needs) {
			return r, fault.New(fault.Conflict, "%s has a %s's leave, and waits for %s", r.Ref(), strings.Join(g.Roles, "'s or "), People(d.Needs))
		}
	}
	r.Given = append(slices.Clip(r.Given), g)
	return r, nil
}

func (r Request) approvals() []Given {
	return slices.DeleteFunc(slices.Clone(r.Given), func(g Given) bool { return g.Kind != Approve })
}

// may says whether the person may say it. Who rejects needs no more than the permission,
// also for their own: it keeps things as they are.
func (r Request) may(g Given) error {
	if g.Kind != Approve && strings.TrimSpace(g.Why) == "" {
		return fault.New(fault.Invalid, "to %s needs a reason", g.Kind).Do("say --why \"…\"")
	}
	if g.Kind == Reject {
		return nil
	}
	if g.By == access.Local {
		return fault.New(fault.Denied, "there are no users, so nobody can tell who approves from who made %s", r.Ref()).
			Do("make users, each with their role, the first an admin: flyball users add NAME --role admin")
	}
	if slices.ContainsFunc(r.Given, func(o Given) bool { return o.Kind == g.Kind && strings.EqualFold(o.By, g.By) }) {
		return fault.New(fault.Conflict, "%s said so already; it takes somebody else", g.By)
	}
	if g.Kind == Override {
		return r.mayOverride(g)
	}
	switch needs := r.Risk.Needs(); {
	case r.own(g.By):
		return fault.New(fault.Denied, "%s proposed %s or had a hand in it, and nobody approves their own", g.By, r.Ref()).Do("ask %s who did not", People(needs))
	case !slices.ContainsFunc(needs, func(role string) bool { return slices.Contains(g.Roles, role) }):
		return fault.New(fault.Denied, "%s waits for %s, which %s is not", r.Ref(), People(needs), g.By)
	}
	return nil
}

func (r Request) mayOverride(g Given) error {
	if slices.Contains(g.Roles, access.BreakGlass) {
		return nil
	}
	if !slices.Contains(g.Roles, Engineer) {
		return fault.New(fault.Denied, "two of the role %s override, and %s does not have it", Engineer, g.By)
	}
	if r.own(g.By) && slices.ContainsFunc(r.Given, func(o Given) bool { return o.Kind == Override && r.own(o.By) }) {
		return fault.New(fault.Denied, "both who override had a hand in %s", r.Ref()).Do("ask somebody who did not")
	}
	return nil
}
