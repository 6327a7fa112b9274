// SPDX-License-Identifier: Apache-2.0

package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/fault"
)

// Start is Prev of the first record.
const Start = "0000000000000000000000000000000000000000000000000000000000000000"

// link is what the hash covers, its keys in order. It is the canonical JSON of a
// record: sorted keys, no spaces, numbers as they were written, absent what is empty.
type link struct {
	Action string          `json:"action"`
	Actor  string          `json:"actor"`
	At     time.Time       `json:"at"`
	Data   json.RawMessage `json:"data,omitempty"`
	Object string          `json:"object"`
	Prev   string          `json:"prev"`
	Seq    int64           `json:"seq"`
	Why    string          `json:"why,omitempty"`
}

// Seal returns r as it is kept after the record whose hash is prev (Start, where
// there is none): times in UTC to the microsecond, Data in canonical form, Prev and
// Hash set. Seq is the caller's to set. Data that is no JSON is an Invalid fault.
func Seal(prev string, r Record) (Record, error) {
	data, err := canonical(r.Data)
	if err != nil {
		return Record{}, fault.Wrap(err, fault.Invalid, "the data of an audit record is not JSON")
	}
	r.Data, r.Prev, r.At = data, prev, r.At.UTC().Truncate(time.Microsecond)
	for _, s := range []*string{&r.Actor, &r.Action, &r.Object, &r.Why} {
		*s = strings.ReplaceAll(strings.ToValidUTF8(*s, "\uFFFD"), "\x00", "\uFFFD") // what every database keeps as it is
	}
	r.Hash, err = sum(r)
	return r, err
}

func sum(r Record) (string, error) {
	line, err := text(r)
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "an audit record cannot be written as JSON")
	}
	h := sha256.New()
	_, _ = io.WriteString(h, r.Prev) // a hash never fails
	_, _ = h.Write(line)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// text is the canonical JSON of a record, without its hash.
func text(r Record) ([]byte, error) {
	return plain(link{r.Action, r.Actor, r.At, r.Data, r.Object, r.Prev, r.Seq, r.Why})
}

// Line is a record as an export holds it: the text that its hash covers, with the hash
// as its last key and without an end of line (docs/formats/audit.md).
func Line(r Record) ([]byte, error) {
	line, err := text(r)
	if err != nil {
		return nil, broken("audit record %d cannot be written: its data are not JSON", r.Seq)
	}
	return fmt.Appendf(line[:len(line)-1], `,"hash":%q}`, r.Hash), nil
}

// exact reports whether r is as Seal left it, where JSON would not show that it is not:
// spaces in the data, and bytes that are no text.
func exact(r Record) bool {
	for _, s := range []string{r.Actor, r.Action, r.Object, r.Why} {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return false
		}
	}
	data, err := canonical(r.Data)
	return err == nil && bytes.Equal(data, r.Data)
}

// canonical is JSON with sorted keys, without spaces; numbers keep their digits.
// Nothing and null are nil.
func canonical(raw json.RawMessage) (json.RawMessage, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	if v == nil {
		return nil, nil
	}
	return plain(v)
}

// plain is v as JSON without the escapes that make it safe inside HTML.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// End is where a chain ends: the number of its records and the hash of the last. An
// empty chain ends at {Hash: Start}.
type End struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Follow moves the end to the next record, r. A record that is not the next, or was
// changed, is a Refused fault that names it, and the end stays.
func (e *End) Follow(r Record) error {
	if r.Seq != e.Seq+1 {
		return broken("audit record %d is missing", e.Seq+1)
	}
	if r.Prev != e.Hash {
		return broken("audit record %d does not follow the record before it", r.Seq)
	}
	hash, err := sum(r)
	if err != nil || hash != r.Hash || !exact(r) {
		return broken("audit record %d (%s %s by %s) was changed", r.Seq, r.Action, r.Object, r.Actor)
	}
	*e = End{Seq: r.Seq, Hash: r.Hash}
	return nil
}

// Verify reads a chain from its beginning and returns where it ends. next gives the
// records in order, and false after the last. The first record that is changed or
// missing is named by a Refused fault; an error of next is returned as it is. That
// the last records were not cut off shows only in an End kept elsewhere.
func Verify(next func() (Record, bool, error)) (End, error) {
	end := End{Hash: Start}
	for {
		r, more, err := next()
		if err == nil && more {
			err = end.Follow(r)
		}
		if err != nil || !more {
			return end, err
		}
	}
}

// byHand is what to do where somebody was at work past Flyball.
const byHand = "compare with a backup: somebody wrote to the database past Flyball"

func broken(format string, args ...any) error {
	return fault.New(fault.Refused, format, args...).Do(byHand)
}
