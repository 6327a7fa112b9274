// SPDX-License-Identifier: Apache-2.0

package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"flyball/fault"
)

// Token lets a program act as a user, within its scope and until it expires. What is
// kept is a digest of its secret; the secret is shown once.
type Token struct {
	ID        string     `json:"id"`
	User      string     `json:"user"`
	About     string     `json:"about,omitempty"` // what it is for
	Scope     Scope      `json:"scope"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt time.Time  `json:"expires_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"` // taken back then
	Digest    string     `json:"-"`                  // of the secret
}

// Scope is what a token may at most; the zero Scope is all that its user may.
type Scope struct {
	May    []Permission `json:"may,omitempty"`
	Models []string     `json:"models,omitempty"`
}

func (s Scope) allows(p Permission, model string) bool {
	return (len(s.May) == 0 || slices.Contains(s.May, p)) && (len(s.Models) == 0 || slices.Contains(s.Models, model))
}

// Check says whether there can be a token of the scope: an Invalid fault says why not.
func (s Scope) Check() error {
	for _, p := range s.May {
		if !slices.Contains(Permissions(), p) {
			names := make([]string, 0, len(Permissions()))
			for _, q := range Permissions() {
				names = append(names, string(q))
			}
			return fault.New(fault.Invalid, "there is no permission %q", p).Do("choose among %s", strings.Join(names, ", "))
		}
	}
	if len(s.May) > len(Permissions()) || len(s.Models) > 1000 {
		return fault.New(fault.Invalid, "a token names each permission and model once, and at most 1,000 models")
	}
	return nil
}

// within says whether the scope is no wider than another: a token cannot make a wider one.
func (s Scope) within(o Scope) bool {
	inside := func(n, of int, all bool) bool { return of == 0 || n > 0 && all }
	return inside(len(s.May), len(o.May), !slices.ContainsFunc(s.May, func(p Permission) bool { return !slices.Contains(o.May, p) })) &&
		inside(len(s.Models), len(o.Models), !slices.ContainsFunc(s.Models, func(m string) bool { return !slices.Contains(o.Models, m) }))
}

// The longest and the usual life of a token.
const (
	MaxTokenAge   = 366 * 24 * time.Hour
	UsualTokenAge = 90 * 24 * time.Hour
)

const tokenPrefix = "fly_" // what scanners of leaked secrets can look for

// newToken gives a token its id and secret. secret is what its holder sends.
func newToken(t Token) (_ Token, secret string) {
	raw := make([]byte, 6+32)
	_, _ = rand.Read(raw) // never fails
	t.ID = hex.EncodeToString(raw[:6])
	secret = tokenPrefix + t.ID + "_" + base64.RawURLEncoding.EncodeToString(raw[6:])
	t.Digest = digest(secret)
	return t, secret
}

// tokenID is the id that a secret names; empty when it is none of ours.
func tokenID(secret string) string {
	rest, ok := strings.CutPrefix(secret, tokenPrefix)
	if !ok || len(rest) < 13 || len(rest) > 200 || rest[12] != '_' {
		return ""
	}
	return rest[:12]
}

// digest is what is kept of a random secret of 256 bits: there is nothing to guess, so
// one round is enough.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
