// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"time"

	"flyball/governance/access"
	"flyball/unit"
)

// Me is who asks.
type Me struct {
	access.Identity
	Grants  []access.Grant `json:"grants"`
	Guarded bool           `json:"guarded" doc:"there are users, so whoever asks signs in"`
}

// User is what to make of a user; absent leaves as it is.
type User struct {
	Mail     *string        `json:"mail,omitempty"`
	Grants   []access.Grant `json:"grants,omitempty"`
	Password *string        `json:"password,omitempty" doc:"12 to 256 bytes; empty: none"`
	Disabled *bool          `json:"disabled,omitempty"`
}

// Change is the same as package access has it.
func (u User) Change() access.Change {
	return access.Change{Mail: u.Mail, Grants: u.Grants, Password: u.Password, Disabled: u.Disabled}
}

// Password changes one's own.
type Password struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// Token is what a token is to be.
type Token struct {
	User   string              `json:"user,omitempty" doc:"whom it acts as; absent: whoever asks"`
	About  string              `json:"about,omitempty" doc:"what it is for"`
	For    unit.Duration       `json:"for,omitempty" doc:"how long it is good; absent: 90d"`
	May    []access.Permission `json:"may,omitempty" doc:"what it may at most; absent: what its user may"`
	Models []string            `json:"models,omitempty" doc:"of which models; absent: all"`
}

// Token is the same as package access has it, made now.
func (t Token) Token(now time.Time) access.Token {
	out := access.Token{User: t.User, About: t.About, Scope: access.Scope{May: t.May, Models: t.Models}}
	if t.For != 0 {
		out.ExpiresAt = now.Add(t.For.D())
	}
	return out
}

// NewToken is a token with its secret, which is shown this once.
type NewToken struct {
	access.Token
	Secret string `json:"secret"`
}
