// SPDX-License-Identifier: Apache-2.0

// Package fault is the one error vocabulary of Flyball. An error that somebody
// outside will read has a kind (what a face maps to a status or an exit code), a
// message for whoever asked, advice on what to do, and a cause for whoever runs
// the server. It refuses to know any protocol: the faces translate kinds.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an error is. The zero value is Internal.
type Kind uint8

// The kinds. A face maps each to its own status in one table.
const (
	Internal        Kind = iota // a defect or an unknown failure of the server
	Invalid                     // the request or file is wrong; the same again fails again
	NotFound                    // the thing named does not exist
	Conflict                    // the thing changed meanwhile, or exists already
	Denied                      // the caller may not do this
	Unauthenticated             // the caller is unknown
	Unavailable                 // a part that is needed does not answer; later may work
	TooLarge                    // a bound was passed: body, rows, file
	Exhausted                   // a limit or budget is used up; later may work
	Refused                     // a rule answers no (gate failed, not reproducible)
	Waiting                     // something else must happen first, such as an approval
)

// String is the kind's word, as logs show it.
func (k Kind) String() string {
	names := [...]string{
		"internal", "invalid", "not found", "conflict", "denied", "unauthenticated",
		"unavailable", "too large", "exhausted", "refused", "waiting",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Error is a fault: what happened, of which kind, what to do about it, and why.
type Error struct {
	Kind   Kind
	What   string // one sentence for whoever asked, without a trailing period
	Advice string // what to do; empty when nothing sensible can be said
	Cause  error  // for whoever runs the server; may be nil

	After time.Duration // when it is worth trying again; 0: nothing says so
}

// Error is the message and, where there is one, the cause and the advice.
func (e *Error) Error() string {
	s := e.What
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// New makes a fault where the error is known.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, What: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault of err where it meets the caller. A nil err gives nil.
func Wrap(err error, kind Kind, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, What: fmt.Sprintf(format, args...), Cause: err}
}

// Do returns the fault with advice on what to do about it.
func (e *Error) Do(format string, args ...any) *Error {
	c := *e
	c.Advice = fmt.Sprintf(format, args...)
	return &c
}

// In returns the fault with when it is worth trying again.
func (e *Error) In(after time.Duration) *Error {
	c := *e
	c.After = after
	return &c
}

// RetryAfter is when to try again after the error, in whole seconds; 0: nothing says so.
func RetryAfter(err error) int {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.After <= 0 {
		return 0
	}
	return int((e.After + time.Second - 1) / time.Second)
}

// KindOf is the kind of the outermost fault in err's chain, Internal when there
// is none (also for nil).
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether err's outermost fault is of the kind.
func Is(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}
