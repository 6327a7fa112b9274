// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// microseconds of an hour and of a day.
const (
	hourMicros = int64(time.Hour / time.Microsecond)
	dayMicros  = 24 * hourMicros
)

// part is what lies in one folder: a model's predictions of one day of event time,
// in UTC.
type part struct {
	model string
	day   int64 // since 1970-01-01
}

func (p part) date() string { return moment(p.day * dayMicros).Format(time.DateOnly) }

// partOf is the part and the hour of the day of an event time.
func partOf(model string, us int64) (part, int) {
	day := us / dayMicros
	if us%dayMicros < 0 {
		day--
	}
	return part{model, day}, int((us - day*dayMicros) / hourMicros)
}

// check says whether r can be kept. What fails would not be found again, or could
// not be read by others.
func check(r *prediction.Record) error {
	if err := ident.CheckModel(r.Model); err != nil {
		return err
	}
	if err := checkID(r.ID); err != nil {
		return err
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"event", r.Time}, {"due", r.Due}, {"answer", r.At}} {
		// 1 to 9999 in all zones: others cannot read more.
		if y := t.at.UTC().Year(); t.at.IsZero() || y < 1 || y > 9999 {
			return fault.New(fault.Invalid, "prediction %s has no %s time between the years 1 and 9999", r.ID, t.name)
		}
	}
	if !utf8.ValidString(r.Key) {
		return fault.New(fault.Invalid, "the key of prediction %s is not UTF-8 text", r.ID)
	}
	return checkAudit(r)
}

// checkID says whether id may name a file, which the first one of a file does.
func checkID(id ident.PredictionID) error {
	ok := len(id) > 0 && len(id) <= 64
	for _, c := range []byte(id) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fault.New(fault.Invalid, "%q is not a prediction id", id)
	}
	return nil
}

// clean is the row as text that every reader of Parquet takes.
func clean(row json.RawMessage) json.RawMessage {
	if utf8.Valid(row) {
		return row
	}
	return bytes.ToValidUTF8(row, []byte("\uFFFD"))
}

// Labels and places are kept under a name: what the caller called the prediction by,
// with a letter before it that says which.
func idName(id ident.PredictionID) string { return "i" + string(id) }
func keyName(key string) string           { return "k" + key }

// The numbers of FNV-1a (Fowler, Noll, Vo) with 64 bits.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// hashOf is the FNV-1a hash of a name. It only finds where to look: whoever looks compares
// the name itself.
func hashOf(name string) int64 {
	h := uint64(fnvOffset)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * fnvPrime
	}
	return int64(h)
}
