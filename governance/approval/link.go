// SPDX-License-Identifier: Apache-2.0

package approval

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"

	"flyball/blob"
	"flyball/fault"
)

// Link lets one person answer one request, without signing in: it is sent to that person
// alone. Whoever follows it is shown what is asked; only what they then send says anything.
type Link struct {
	Model  string
	ID     string // of the request
	Person string
	Sign   string // by Key.Sign
}

// Key signs links: HMAC-SHA256. It is never empty.
type Key []byte

// Sign is the signature of a link for the person to the request of the digest.
func (k Key) Sign(model, id, person string, digest blob.Digest) string {
	h := hmac.New(sha256.New, k)
	_, _ = h.Write([]byte(strings.Join([]string{"flyball approval 1", model, id, person, string(digest)}, "\x00"))) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Check says whether the link may still answer r, which has its model and id: an
// Unauthenticated fault says that it was not made by this server for this person and
// digest. One whose request ended or expired, or that was used, is a Conflict fault: when
// the person has said something, by whatever way, the link is used.
func (k Key) Check(l Link, r Request, now time.Time) error {
	if !hmac.Equal([]byte(k.Sign(r.Model, r.ID, l.Person, r.Digest)), []byte(l.Sign)) {
		return Forged()
	}
	switch {
	case r.Ended != nil:
		return fault.New(fault.Conflict, "the request for %s is over: %s", r.Ref(), r.Ended.Why)
	case !now.Before(r.Expires):
		return fault.New(fault.Conflict, "the link to the request for %s expired", r.Ref()).Do("ask anew with flyball promote %s", r.Ref())
	case slices.ContainsFunc(r.Given, func(g Given) bool { return strings.EqualFold(g.By, l.Person) }):
		return fault.New(fault.Conflict, "the link was used: %s has answered the request for %s", l.Person, r.Ref()).Do("see flyball approvals %s", r.Model)
	}
	return nil
}

// Forged is the fault for a link that says nothing: whoever sends it is not told why.
func Forged() error {
	return fault.New(fault.Unauthenticated, "the link is not one that this server made").Do("sign in, and see what waits under Inbox")
}

// Candidates are those of the people with the role that the request waits for who may still
// give leave: who neither proposed it nor had a hand in it, nor has said anything to it.
func (r Request) Candidates(people []string) []string {
	var out []string
	for _, name := range people {
		if !r.own(name) && !slices.ContainsFunc(r.Given, func(g Given) bool { return strings.EqualFold(g.By, name) }) {
			out = append(out, name)
		}
	}
	return out
}

// Path is the link as a path with its query, below the address of the server.
func (l Link) Path() string {
	return "/leave?" + url.Values{"model": {l.Model}, "id": {l.ID}, "who": {l.Person}, "sign": {l.Sign}}.Encode()
}
