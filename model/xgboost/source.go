// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"bytes"

	"flyball/fault"
)

// maxDepth is how deep lists and objects of a model may be nested: XGBoost's are nine.
const maxDepth = 32

// source reads a model from its first byte to its last, whichever way it is spelled.
// The first thing that is wrong is kept; from then on everything reads as nothing, and
// object and list end. Lists of numbers have exactly the room that they need.
type source interface {
	// object calls member with each key; member takes the value that follows.
	object(member func(key string))

	// list calls member for each member; it takes the value that follows.
	list(member func())

	// text is a string.
	text() string

	// floats and ints are lists of numbers, in the room of into where it is enough. A
	// truth value is 0 or 1 among ints.
	floats(into []float32) []float32
	ints(into []int32) []int32

	// skip passes a value.
	skip()

	// place is the next byte's, and of the next value once its mark has been read.
	place() int

	fail(why string)
	end() error
}

// open is the source that fits the bytes.
func open(b []byte) source {
	if IsUBJSON(b) {
		r := &ubjson{cursor: cursor{in: b, what: "UBJSON"}}
		r.next = r.mark()
		return r
	}
	return &jsonText{cursor{in: b, what: "JSON"}}
}

// IsUBJSON tells the two ways of writing a model apart by how it begins: what MLflow 2
// calls model.xgb is what the XGBoost at hand writes.
func IsUBJSON(b []byte) bool {
	return len(b) > 1 && b[0] == '{' && bytes.IndexByte([]byte("LliIU#$"), b[1]) >= 0
}

// cursor is a place in a text, and what is wrong with it.
type cursor struct {
	in   []byte
	at   int
	what string
	bad  string
}

func (r *cursor) fail(why string) {
	if r.bad == "" {
		r.bad = why
	}
}

func (r *cursor) place() int { return r.at }

// fault is what is wrong, and where.
func (r *cursor) fault() error {
	if r.bad == "" {
		return nil
	}
	return fault.New(fault.Invalid, "the XGBoost model is not readable %s at byte %d: %s", r.what, r.at, r.bad)
}

// room is a list of n numbers, in the room of into where it is enough.
func room[T any](into []T, n int) []T {
	if n > cap(into) {
		return make([]T, n)
	}
	return into[:n]
}
