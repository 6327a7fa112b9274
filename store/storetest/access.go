// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"testing"
	"time"

	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
)

// users are decided on all of them, one change after the other.
func users(t *testing.T, open Open) {
	db, _ := open(t)
	ana := access.User{Name: "ana", Mail: "ana@example.org", Grants: []access.Grant{{Role: "admin"}, {Role: "owner", Model: "hotel"}}, Password: "$argon2id$…", CreatedAt: noon, CreatedBy: "local"}
	keep := func(u access.User) func(all []access.User) (access.User, audit.Record, error) {
		return func([]access.User) (access.User, audit.Record, error) {
			return u, record("add user", "user "+u.Name), nil
		}
	}
	equal(t, "generation at first", must(db.AccessGeneration(t.Context()))(t), int64(0))
	check(t, db.ChangeUsers(t.Context(), keep(ana)))
	equal(t, "users", must(db.Users(t.Context()))(t), []access.User{ana})
	later := noon.Add(time.Hour)
	ana.Disabled, ana.Mail, ana.Changed = true, "", &later
	check(t, db.ChangeUsers(t.Context(), func(all []access.User) (access.User, audit.Record, error) {
		equal(t, "users to decide on", len(all), 1)
		return ana, record("set user", "user ana"), nil
	}))
	equal(t, "users after", must(db.Users(t.Context()))(t), []access.User{ana})
	before := must(db.AccessGeneration(t.Context()))(t)
	no := errors.New("no")
	if err := db.ChangeUsers(t.Context(), func([]access.User) (access.User, audit.Record, error) { return access.User{}, audit.Record{}, no }); !errors.Is(err, no) {
		t.Errorf("got %v, want the error that decided", err)
	}
	equal(t, "generation after a refusal", must(db.AccessGeneration(t.Context()))(t), before)
	atOnce(8, func(i int) {
		name := string(rune('b' + i))
		check(t, db.ChangeUsers(t.Context(), keep(access.User{Name: name, CreatedAt: noon, CreatedBy: "ana"})))
	})
	equal(t, "users of eight at once", len(must(db.Users(t.Context()))(t)), 9)
	equal(t, "records that hold", must(db.VerifyAudit(t.Context()))(t), int64(10))
}

// tokens and sessions end, and each change raises the generation.
func tokens(t *testing.T, open Open) {
	db, _ := open(t)
	k := access.Token{ID: "0123456789ab", User: "ana", About: "ci", Scope: access.Scope{May: []access.Permission{access.Read}, Models: []string{"hotel"}}, Digest: "d1", CreatedAt: noon, CreatedBy: "bo", ExpiresAt: noon.Add(time.Hour)}
	check(t, db.AddToken(t.Context(), k, record("add token", "user ana")))
	wants(t, db.AddToken(t.Context(), k, record("add token", "user ana")), fault.Conflict)
	equal(t, "tokens", must(db.Tokens(t.Context()))(t), []access.Token{k})
	ended := noon.Add(time.Minute)
	for range 2 {
		check(t, db.EndToken(t.Context(), k.ID, ended, record("end token", "user ana")))
	}
	k.EndedAt = &ended
	equal(t, "tokens after the end", must(db.Tokens(t.Context()))(t), []access.Token{k})
	equal(t, "records", must(db.VerifyAudit(t.Context()))(t), int64(2))

	one := access.Session{Digest: "s1", User: "ana", Via: "password", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	two := access.Session{Digest: "s2", User: "ana", Via: "password", CreatedAt: noon, ExpiresAt: noon.Add(2 * time.Hour)}
	three := access.Session{Digest: "s3", User: "bo", Via: "password", CreatedAt: noon, ExpiresAt: noon.Add(3 * time.Hour)}
	for _, s := range []access.Session{one, two, three} {
		check(t, db.AddSession(t.Context(), s))
	}
	before := must(db.AccessGeneration(t.Context()))(t)
	check(t, db.EndSessions(t.Context(), "", "", noon.Add(time.Hour)))
	equal(t, "sessions that are not over", must(db.Sessions(t.Context()))(t), []access.Session{two, three})
	if after := must(db.AccessGeneration(t.Context()))(t); after <= before {
		t.Errorf("the generation went from %d to %d", before, after)
	}
	check(t, db.EndSessions(t.Context(), "", "ana", noon))
	equal(t, "sessions of others", must(db.Sessions(t.Context()))(t), []access.Session{three})
	check(t, db.EndSessions(t.Context(), "s3", "", noon))
	equal(t, "sessions after", len(must(db.Sessions(t.Context()))(t)), 0)
}
