// SPDX-License-Identifier: Apache-2.0

// Package ident holds the typed names of things, so that one is not taken for
// another: a version's Ref, the id of a prediction, the id of a snapshot. It
// parses and prints them; it does not look anything up.
package ident

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"flyball/fault"
)

// Ref names a version of a model: hotel-cancel@7. A zero Version means none.
type Ref struct {
	Model   string `json:"model"`
	Version int    `json:"version"`
}

// String is the reference as every face writes it: model@version.
func (r Ref) String() string {
	if r.Version == 0 {
		return r.Model
	}
	return r.Model + "@" + strconv.Itoa(r.Version)
}

// Zero reports whether r names no version.
func (r Ref) Zero() bool { return r.Version == 0 }

// Name is a reference as a user writes it: a model, and a version number or an
// alias ("live" when nothing is said).
type Name struct {
	Model   string
	Version int    // 0: by alias
	Alias   string // empty: by version
}

// ParseName reads hotel-cancel, hotel-cancel@7 or hotel-cancel@candidate. The
// error is an Invalid fault.
func ParseName(s string) (Name, error) {
	model, what, found := strings.Cut(s, "@")
	if err := CheckModel(model); err != nil {
		return Name{}, err
	}
	if !found {
		return Name{Model: model, Alias: "live"}, nil
	}
	if n, err := strconv.Atoi(what); err == nil && n > 0 {
		return Name{Model: model, Version: n}, nil
	}
	if what == "" || strings.ContainsAny(what, "@/ \t") {
		return Name{}, fault.New(fault.Invalid, "%q is not a reference", s).Do("write model, model@7 or model@candidate")
	}
	return Name{Model: model, Alias: what}, nil
}

// CheckModel says whether s may name a model: 1 to 63 of a-z, 0-9 and -, with a
// letter first. The error is an Invalid fault.
func CheckModel(s string) error {
	ok := len(s) > 0 && len(s) < 64 && s[0] >= 'a' && s[0] <= 'z'
	for _, c := range s {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fault.New(fault.Invalid, "%q cannot name a model", s).
			Do("use 1 to 63 of a-z, 0-9 and -, with a letter first")
	}
	return nil
}

// PredictionID names one answer: a UUIDv7 (RFC 9562, 5.7) in text, so that the id
// alone tells the millisecond in which it was made.
type PredictionID string

// NewPredictionID makes an id for the moment now. It may be called at once by
// many goroutines.
func NewPredictionID(now time.Time) PredictionID {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails: crypto/rand.Read panics inside where the system has no randomness
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return PredictionID(s[:])
}

// Time is the moment in the id, in UTC; false when the id is not a UUIDv7.
func (id PredictionID) Time() (time.Time, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' {
		return time.Time{}, false
	}
	ms, err := strconv.ParseUint(string(id[0:8]+id[9:13]), 16, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms)).UTC(), true
}

// ExperimentID names an experiment; 0 is the default one.
type ExperimentID int64

// String is the id in decimal, as every face writes it.
func (id ExperimentID) String() string { return strconv.FormatInt(int64(id), 10) }

// RunID names a run: 32 hex digits when Flyball made it; an imported one may be any
// [a-zA-Z0-9][\w-]{0,255}.
type RunID string

// ModelID names a logged model: m- and 32 hex digits.
type ModelID string

// NewRunID makes an id. It may be called at once by many goroutines.
func NewRunID() RunID { return RunID(random16()) }

// NewModelID makes an id. It may be called at once by many goroutines.
func NewModelID() ModelID { return ModelID("m-" + random16()) }

func random16() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
