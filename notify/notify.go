// SPDX-License-Identifier: Apache-2.0

// Package notify sends what people and their programs are told: by mail, by a signed
// webhook, to a chat. What is to be sent lies in an outbox, written in the transaction of
// what it tells, so that nothing is lost when the process dies; a message that was sent
// is not sent again. It decides nothing: whom to tell, and when, is package alert's.
package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"flyball/fault"
)

// The ways by which a message goes.
const (
	Webhook = "webhook" // JSON, signed
	Slack   = "slack"   // {"text": …}, as Slack, Mattermost and others take it
	Mail    = "mail"
)

// Address is where a message goes.
type Address struct {
	Way string `json:"way"`
	To  string `json:"to,omitempty"` // a mail address; empty for the other ways, of which there is one each
}

// Message is one thing to be sent to one address, once. It is immutable.
type Message struct {
	ID string `json:"id"` // the same at each try, so that a receiver can tell
	Address
	Subject   string          `json:"subject"`        // one line
	Text      string          `json:"text"`           // what people read
	Body      json.RawMessage `json:"body,omitempty"` // what a webhook gets
	CreatedAt time.Time       `json:"created_at"`     // by the process's clock

	Tries int `json:"-"` // those before this one
}

// ID is the id of a message that the parts make: the same parts give the same id.
func ID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// Outbox is where messages wait. Package store implements it.
type Outbox interface {
	// ClaimMessages gives what is due by now, at most limit, and puts each off until
	// until, so that no other process sends it meanwhile.
	ClaimMessages(ctx context.Context, now, until time.Time, limit int) ([]Message, error)

	// EndMessage says that a message was sent at the moment at, or, when why is not
	// empty, that it is given up.
	EndMessage(ctx context.Context, id string, at time.Time, why string) error

	// PutOffMessage says why a try failed and when the next is due.
	PutOffMessage(ctx context.Context, id string, next time.Time, why string) error
}

// How a message that does not go is tried again: after half a minute, then each time
// twice as long, up to an hour; and given up after a day.
const (
	firstWait = 30 * time.Second
	mostWait  = time.Hour
	giveUp    = 24 * time.Hour
	lease     = 5 * time.Minute // of a claim: more than a batch takes
	tryTime   = 20 * time.Second
	lastTime  = 3 * time.Second // for what is under way when the server stops
	batch     = 10
)

// wait is how long a message waits after so many tries.
func wait(tries int) time.Duration { return min(firstWait<<min(tries, 20), mostWait) }

// Options are what a Sender is built from.
type Options struct {
	Outbox Outbox
	Config Config
	Now    func() time.Time // the process's clock, by which messages are due
	Logger *slog.Logger
}

// Sender delivers the outbox. Its methods may be called at once.
type Sender struct {
	opts Options
	ways map[string]func(ctx context.Context, m Message) error
}

// Run looks for what is due every second until ctx is done, and then returns nil. What
// could not be sent stays in the outbox.
func (s *Sender) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := s.Turn(ctx); err != nil && ctx.Err() == nil {
			s.opts.Logger.Error("the outbox cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Turn tries to send all that is due. A message that does not go is no error: it waits
// for its next try.
func (s *Sender) Turn(ctx context.Context) error {
	for {
		now := s.opts.Now()
		due, err := s.opts.Outbox.ClaimMessages(ctx, now, now.Add(lease), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, m := range due {
			if ctx.Err() != nil { // not tried: it is due at once when somebody looks again
				err = errors.Join(err, s.opts.Outbox.PutOffMessage(context.WithoutCancel(ctx), m.ID, now, ""))
				continue
			}
			if failed := s.send(ctx, m); failed != nil {
				return failed
			}
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

// send tries once, and notes in the outbox what came of it.
func (s *Sender) send(ctx context.Context, m Message) error {
	var failed error = fault.New(fault.Invalid, "the server sends nothing by %s any more", m.Way).Do("see flyball serve --help")
	if way := s.ways[m.Way]; way != nil {
		try, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
		hurry := context.AfterFunc(ctx, func() { time.AfterFunc(lastTime, cancel) }) // what is under way is finished, so that it is not sent again
		failed = way(try, m)
		hurry()
		cancel()
	}
	now := s.opts.Now()
	after := context.WithoutCancel(ctx) // what was sent is noted, whoever stops now
	if failed == nil {
		return s.opts.Outbox.EndMessage(after, m.ID, now, "")
	}
	why := plain(failed)
	next := now.Add(wait(m.Tries))
	if next.Sub(m.CreatedAt) > giveUp {
		s.opts.Logger.Error("a message is given up", "way", m.Way, "subject", m.Subject, "error", why)
		return s.opts.Outbox.EndMessage(after, m.ID, now, why)
	}
	s.opts.Logger.Warn("a message was not sent and is tried again", "way", m.Way, "subject", m.Subject, "next", next, "error", why)
	return s.opts.Outbox.PutOffMessage(after, m.ID, next, why)
}

// plain is why a message was not sent, in one line.
func plain(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
