// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"

	"flyball/fault"
)

// Primary result codes of SQLite (https://sqlite.org/rescode.html).
const (
	codeBusy    = 5
	codeLocked  = 6
	codeCorrupt = 11
	codeFull    = 13
	codeNotADB  = 26
)

// broken tells in one sentence what an error of the disk or of SQLite means for
// whoever asked. The action completes "the prediction log cannot be …". A fault
// passes as it is, and nil is nil.
func broken(err error, action string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	what := "the prediction log cannot be " + fmt.Sprintf(action, args...)
	e := &fault.Error{Kind: fault.Unavailable, What: what, Cause: err}
	code := 0
	if se, ok := errors.AsType[*sqlite.Error](err); ok {
		code = se.Code() & 0xff
	}
	switch {
	case code == codeFull || errors.Is(err, syscall.ENOSPC):
		e.What += ", the disk is full"
		return e.Do("free some space; what was acknowledged is safe")
	case code == codeBusy || code == codeLocked:
		e.What += ", another program holds a lock on staged.db"
		return e.Do("close the other program")
	case code == codeCorrupt || code == codeNotADB:
		e.What += ", staged.db is damaged"
		return e.Do("restore it from a backup")
	}
	return e
}
