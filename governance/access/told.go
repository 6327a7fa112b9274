// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"sync"
	"time"

	"flyball/fault"
	"flyball/governance/audit"
)

// Told is a Store that changes nothing and knows what it was told: who may ask a process
// that another tells. All methods may be called at once. The zero value knows nobody.
type Told struct {
	mu         sync.Mutex
	generation int64
	users      []User
	tokens     []Token
}

var _ Store = (*Told)(nil)

// Tell replaces all that is known.
func (t *Told) Tell(users []User, tokens []Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generation++
	t.users, t.tokens = users, tokens
}

// AccessGeneration is how often it was told.
func (t *Told) AccessGeneration(context.Context) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.generation, nil
}

// Users are those it was told.
func (t *Told) Users(context.Context) ([]User, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.users, nil
}

// Tokens are those it was told.
func (t *Told) Tokens(context.Context) ([]Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tokens, nil
}

// Sessions are none: browsers sign in where pages are.
func (t *Told) Sessions(context.Context) ([]Session, error) { return nil, nil }

func elsewhere() error {
	return fault.New(fault.Refused, "users and tokens are not kept here").Do("ask the process that decides")
}

// ChangeUsers refuses, as all changes are refused.
func (t *Told) ChangeUsers(context.Context, func([]User) (User, audit.Record, error)) error {
	return elsewhere()
}

// AddToken refuses.
func (t *Told) AddToken(context.Context, Token, audit.Record) error { return elsewhere() }

// EndToken refuses.
func (t *Told) EndToken(context.Context, string, time.Time, audit.Record) error { return elsewhere() }

// AddSession refuses.
func (t *Told) AddSession(context.Context, Session) error { return elsewhere() }

// EndSessions has nothing to end.
func (t *Told) EndSessions(context.Context, string, string, time.Time) error { return nil }
