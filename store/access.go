// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"flyball/fault"
	"flyball/governance/access"
	"flyball/governance/audit"
)

// accessHead counts the changes of users, tokens and sessions.
const accessHead = "access"

// AccessGeneration rises with each change of users, tokens and sessions; 0: there was none.
func (db *DB) AccessGeneration(ctx context.Context) (int64, error) {
	var n int64
	err := db.row(ctx, `SELECT seq FROM heads WHERE name = $1`, accessHead).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, problem(err, "who may what cannot be read")
}

const userColumns = `name, mail, grants, password, disabled, created_at, created_by, changed_at`

func scanUser(s scanner) (access.User, error) {
	var u access.User
	var changed time.Time
	err := s.Scan(&u.Name, &u.Mail, body{&u.Grants}, &u.Password, &u.Disabled, moment{&u.CreatedAt}, &u.CreatedBy, moment{&changed})
	if !changed.IsZero() {
		u.Changed = &changed
	}
	return u, err
}

// Users are all users, by name.
func (db *DB) Users(ctx context.Context) ([]access.User, error) {
	ctx, at := then(ctx)
	if at != present {
		return db.earlierUsers(ctx, at)
	}
	return all(ctx, db, "the users cannot be read", scanUser, `SELECT `+userColumns+` FROM users ORDER BY name`)
}

// ChangeUsers gives all users to decide and keeps the one that it returns, new or
// changed, with its record, in one transaction. An error of decide changes nothing.
func (db *DB) ChangeUsers(ctx context.Context, decide func(all []access.User) (access.User, audit.Record, error)) error {
	return db.atomic(ctx, "the user was not kept", func(t *tx) error {
		if _, err := t.next(ctx, accessHead, 1); err != nil { // whoever else changes users waits here
			return err
		}
		var now []access.User
		if err := t.each(ctx, func(s scanner) error {
			u, err := scanUser(s)
			now = append(now, u)
			return err
		}, `SELECT `+userColumns+` FROM users ORDER BY name`); err != nil {
			return err
		}
		u, rec, err := decide(now)
		if err != nil {
			return err
		}
		grants, err := json.Marshal(u.Grants)
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (name) DO UPDATE SET mail = excluded.mail, grants = excluded.grants, password = excluded.password,
			disabled = excluded.disabled, changed_at = excluded.changed_at`,
			u.Name, u.Mail, string(grants), u.Password, oneIf(u.Disabled), u.CreatedAt.UnixMicro(), u.CreatedBy, microsOrNull(u.Changed)); err != nil {
			return err
		}
		return t.keep(ctx, &rec, nil)
	})
}

// earlierUsers are the users at a moment, as the audit chain tells, by name. It has no
// passwords.
func (db *DB) earlierUsers(ctx context.Context, at int64) ([]access.User, error) {
	byName := map[string]access.User{}
	err := db.each(ctx, func(s scanner) error {
		var u access.User
		err := s.Scan(body{&u})
		byName[u.Name] = u
		return err
	}, `SELECT data FROM audit WHERE object >= 'user ' AND object < 'user!' AND at <= $1 AND (action = 'add user' OR action = 'set user') ORDER BY seq`, at)
	out := make([]access.User, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out, problem(err, "the users cannot be read")
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func microsOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixMicro()
}

const tokenColumns = `id, user_name, about, scope, digest, created_at, created_by, expires_at, ended_at`

func scanToken(s scanner) (access.Token, error) {
	var t access.Token
	var ended time.Time
	err := s.Scan(&t.ID, &t.User, &t.About, body{&t.Scope}, &t.Digest, moment{&t.CreatedAt}, &t.CreatedBy, moment{&t.ExpiresAt}, moment{&ended})
	if !ended.IsZero() {
		t.EndedAt = &ended
	}
	return t, err
}

// Tokens are all tokens, those that are no longer good too, by id.
func (db *DB) Tokens(ctx context.Context) ([]access.Token, error) {
	return all(ctx, db, "the tokens cannot be read", scanToken, `SELECT `+tokenColumns+` FROM tokens ORDER BY id`)
}

// AddToken keeps a token with its record. An id that is taken is a Conflict fault.
func (db *DB) AddToken(ctx context.Context, k access.Token, rec audit.Record) error {
	scope, err := json.Marshal(k.Scope)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "the token's scope cannot be kept")
	}
	return db.atomic(ctx, "the token was not kept", func(t *tx) error {
		if _, err := t.next(ctx, accessHead, 1); err != nil {
			return err
		}
		n, err := t.exec(ctx, `INSERT INTO tokens (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`,
			k.ID, k.User, k.About, string(scope), k.Digest, k.CreatedAt.UnixMicro(), k.CreatedBy, k.ExpiresAt.UnixMicro(), microsOrNull(k.EndedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "there is a token %s already", k.ID).Do("try again")
		}
		return t.keep(ctx, &rec, nil)
	})
}

// EndToken takes a token back, with its record. One that was taken back stays as it is,
// and nothing is told twice.
func (db *DB) EndToken(ctx context.Context, id string, at time.Time, rec audit.Record) error {
	return db.atomic(ctx, "the token was not taken back", func(t *tx) error {
		if _, err := t.next(ctx, accessHead, 1); err != nil {
			return err
		}
		n, err := t.exec(ctx, `UPDATE tokens SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL`, id, at.UnixMicro())
		if err != nil || n == 0 {
			return err
		}
		return t.keep(ctx, &rec, nil)
	})
}

func scanSession(s scanner) (access.Session, error) {
	var v access.Session
	err := s.Scan(&v.Digest, &v.User, &v.Via, moment{&v.CreatedAt}, moment{&v.ExpiresAt})
	return v, err
}

// Sessions are all sessions, those that are over too until they are forgotten.
func (db *DB) Sessions(ctx context.Context) ([]access.Session, error) {
	return all(ctx, db, "the sessions cannot be read", scanSession, `SELECT digest, user_name, via, created_at, expires_at FROM sessions ORDER BY digest`)
}

// AddSession keeps a session. Signing in changes nothing that the audit chain tells of.
func (db *DB) AddSession(ctx context.Context, s access.Session) error {
	return db.atomic(ctx, "the session was not kept", func(t *tx) error {
		if _, err := t.next(ctx, accessHead, 1); err != nil {
			return err
		}
		_, err := t.exec(ctx, `INSERT INTO sessions (digest, user_name, via, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			s.Digest, s.User, s.Via, s.CreatedAt.UnixMicro(), s.ExpiresAt.UnixMicro())
		return err
	})
}

// EndSessions forgets the session of a digest, all sessions of a user, and those that
// are over by now. Empty names none.
func (db *DB) EndSessions(ctx context.Context, digest, user string, now time.Time) error {
	return db.atomic(ctx, "the session was not ended", func(t *tx) error {
		if _, err := t.next(ctx, accessHead, 1); err != nil {
			return err
		}
		_, err := t.exec(ctx, `DELETE FROM sessions WHERE digest = $1 OR user_name = $2 OR expires_at <= $3`, digest, user, now.UnixMicro())
		return err
	})
}
