// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
)

// row is a record in a sealed file. The model and the date are in the file's path.
type row struct {
	ID         string    `parquet:"id"`
	Key        string    `parquet:"key,optional"`
	Time       int64     `parquet:"time,timestamp(microsecond)"`
	Due        int64     `parquet:"due,timestamp(microsecond)"`
	At         int64     `parquet:"at,timestamp(microsecond)"`
	Version    int64     `parquet:"version"`
	Arm        string    `parquet:"arm,dict"`
	Generation int64     `parquet:"generation"`
	Score      *float64  `parquet:"score,optional"`
	Scores     []float64 `parquet:"scores,list"`
	Decision   string    `parquet:"decision,optional,dict"`
	Flags      []string  `parquet:"flags,list"`
	LatencyUS  float64   `parquet:"latency_us"`
	Others     string    `parquet:"others,optional"`
	Row        string    `parquet:"row,optional"`
}

// sampledRow is a row with its vector. Files that are older than vectors have no such
// column.
type sampledRow struct {
	row
	Vector []byte `parquet:"vector,optional"`
}

func (x *sampledRow) record(model string) (prediction.Record, error) {
	r, err := x.row.record(model)
	if len(x.Vector) > 0 {
		r.Vector = slices.Clone(x.Vector)
	}
	return r, err
}

// fullRow is a row with its reasons, too, as it is written. Files that are older than
// reasons have no such column.
type fullRow struct {
	sampledRow
	Reasons string `parquet:"reasons,optional"`
}

func (x *fullRow) record(model string) (prediction.Record, error) {
	r, err := x.sampledRow.record(model)
	if x.Reasons != "" {
		r.Reasons = json.RawMessage(x.Reasons)
	}
	return r, err
}

// place is what of a row tells whether it is asked for.
type place struct {
	ID   string `parquet:"id"`
	Key  string `parquet:"key,optional"`
	Time int64  `parquet:"time,timestamp(microsecond)"`
	Due  int64  `parquet:"due,timestamp(microsecond)"`
	At   int64  `parquet:"at,timestamp(microsecond)"`
}

// number is a score in JSON, which has no word for what is not finite: NaN is null,
// the infinities are text.
type number float64

// MarshalJSON is the shortest form that reads back as the same number.
func (n number) MarshalJSON() ([]byte, error) {
	switch f := float64(n); {
	case math.IsNaN(f):
		return []byte("null"), nil
	case math.IsInf(f, 0):
		return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
	default:
		return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
	}
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = number(math.NaN())
		return nil
	}
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	f, err := strconv.ParseFloat(string(b), 64)
	*n = number(f)
	return err
}

// other is a prediction.Other in a sealed file.
type other struct {
	Role      string   `json:"role"`
	Version   int      `json:"version"`
	Scores    []number `json:"scores,omitempty"`
	Error     string   `json:"error,omitempty"`
	Decision  string   `json:"decision,omitempty"`
	LatencyUS float64  `json:"latency_us"`
}

// microsOf keeps the nanoseconds as the fraction: exact up to 2^53 ns, 104 days.
func microsOf(d time.Duration) float64    { return float64(d) / 1000 }
func durationOf(us float64) time.Duration { return time.Duration(math.Round(us * 1000)) }

func toRow(r *prediction.Record) (row, error) {
	x := row{
		ID: string(r.ID), Key: r.Key, Time: r.Time.UnixMicro(), Due: r.Due.UnixMicro(), At: r.At.UnixMicro(),
		Version: int64(r.Version), Arm: r.Arm, Generation: r.Generation, Scores: r.Scores, Decision: r.Decision,
		Flags: r.Flags, LatencyUS: microsOf(r.Latency), Row: string(r.Row),
	}
	if len(r.Scores) == 1 {
		x.Score = &r.Scores[0]
	}
	if len(r.Others) == 0 {
		return x, nil
	}
	others := make([]other, len(r.Others))
	for i, o := range r.Others {
		others[i] = other{Role: o.Role, Version: o.Version, Error: o.Error, Decision: o.Decision, LatencyUS: microsOf(o.Latency)}
		for _, s := range o.Scores {
			others[i].Scores = append(others[i].Scores, number(s))
		}
	}
	b, err := json.Marshal(others)
	x.Others = string(b)
	return x, err
}

func (x *row) record(model string) (prediction.Record, error) {
	r := prediction.Record{
		ID: ident.PredictionID(x.ID), Model: model, Version: int(x.Version), Arm: x.Arm, Generation: x.Generation,
		At: moment(x.At), Time: moment(x.Time), Due: moment(x.Due), Key: x.Key, Decision: x.Decision, Latency: durationOf(x.LatencyUS),
	}
	// The reader's rows are used again: what is kept is copied.
	if len(x.Scores) > 0 {
		r.Scores = slices.Clone(x.Scores)
	}
	if len(x.Flags) > 0 {
		r.Flags = slices.Clone(x.Flags)
	}
	if x.Row != "" {
		r.Row = json.RawMessage(x.Row)
	}
	if x.Others == "" {
		return r, nil
	}
	var others []other
	if err := json.Unmarshal([]byte(x.Others), &others); err != nil {
		return r, fmt.Errorf("others of %s: %w", x.ID, err)
	}
	for _, o := range others {
		p := prediction.Other{Role: o.Role, Version: o.Version, Error: o.Error, Decision: o.Decision, Latency: durationOf(o.LatencyUS)}
		for _, s := range o.Scores {
			p.Scores = append(p.Scores, float64(s))
		}
		r.Others = append(r.Others, p)
	}
	return r, nil
}

// inOrder compares records by event time, then id, which is how they are kept and
// given out.
func inOrder(a, b prediction.Record) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
}

// sortUnique puts the records in order and leaves one of each id. Copies of a record
// have the same time, so they are neighbours.
func sortUnique(rs []prediction.Record) []prediction.Record {
	slices.SortStableFunc(rs, inOrder)
	return slices.CompactFunc(rs, func(a, b prediction.Record) bool { return a.ID == b.ID && a.Time.Equal(b.Time) })
}

// batchRows is how many rows go to or come from a file at once.
const batchRows = 256

// writeSealed writes the records, which are in order, to w.
func writeSealed(w io.Writer, rs []prediction.Record) error {
	out := parquet.NewGenericWriter[fullRow](w, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(1<<16),
		parquet.CreatedBy("flyball", "1", ""), parquet.KeyValueMetadata("flyball.format", "1"))
	buf := make([]fullRow, 0, min(len(rs), batchRows))
	for batch := range slices.Chunk(rs, batchRows) {
		buf = buf[:0]
		for i := range batch {
			x, err := toRow(&batch[i])
			if err != nil {
				return err
			}
			buf = append(buf, fullRow{sampledRow{x, batch[i].Vector}, string(batch[i].Reasons)})
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	return out.Close()
}

// sum is the CRC-32C of a sealed file (RFC 3720, appendix B.4), or noSum.
type sum int64

// noSum is the sum of a file that the index does not know.
const noSum sum = -1

func newSum() hash.Hash32 { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// digests are the sums of a file as it is written: the one that each reading compares,
// and the one that the audit chain keeps.
type digests struct {
	crc hash.Hash32
	all hash.Hash
}

func newDigests() *digests { return &digests{newSum(), sha256.New()} }

// Write never fails.
func (d *digests) Write(b []byte) (int, error) {
	_, _ = d.crc.Write(b)
	return d.all.Write(b)
}

func (d *digests) sum() sum    { return sum(d.crc.Sum32()) }
func (d *digests) sha() string { return hex.EncodeToString(d.all.Sum(nil)) }

// digestsOf reads a whole file, and gives its size, too.
func digestsOf(path string) (*digests, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	d := newDigests()
	n, err := io.Copy(d, f)
	return d, n, err
}

// sumOf reads all of r.
func sumOf(r io.Reader) (sum, error) {
	h := newSum()
	_, err := io.Copy(h, r)
	return sum(h.Sum32()), err
}

// readSealed reads the records of a file that ask wants (nil: all), the last of them
// when last is above 0, with their reasons where why is set. They are in order. A file that is not as it was written
// (want; noSum: not known) or cannot be read is a fault.
func readSealed(path, model string, want sum, ask func(place) bool, last int, why bool) (rs []prediction.Record, err error) {
	damaged := func(cause error) error {
		f := fault.New(fault.Invalid, "the sealed predictions in %s cannot be read", path).Do("restore the file from a backup")
		f.Cause = cause
		return f
	}
	defer func() {
		// The Parquet reader panics on some damaged files. On others it reads wild
		// memory, which ends the process: hence the sum.
		if p := recover(); p != nil {
			rs, err = nil, damaged(fmt.Errorf("%v", p))
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return nil, damaged(err)
	}
	defer func() { _ = f.Close() }()
	if want != noSum {
		if got, err := sumOf(f); err != nil || got != want {
			return nil, damaged(cmp.Or(err, errChanged))
		}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, damaged(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return nil, damaged(err)
	}
	spans, err := wanted(file, ask, last)
	if err == nil && len(spans) > 0 {
		if why {
			rs, err = readRows(file, model, spans, (*fullRow).record)
		} else {
			rs, err = readRows(file, model, spans, (*sampledRow).record)
		}
	}
	if err != nil {
		return nil, damaged(err)
	}
	return rs, nil
}

// errChanged says that a file's sum is another.
var errChanged = errors.New("its bytes have changed since it was written")

// span is a run of rows of a file, from the first to before the second.
type span [2]int64

// wanted are the rows that ask wants, in runs. It reads the narrow columns only.
func wanted(file *parquet.File, ask func(place) bool, last int) ([]span, error) {
	if ask == nil {
		from := int64(0)
		if last > 0 {
			from = max(0, file.NumRows()-int64(last))
		}
		return []span{{from, file.NumRows()}}, nil
	}
	in := parquet.NewGenericReader[place](file)
	defer func() { _ = in.Close() }()
	var at []int64
	buf := make([]place, batchRows)
	for n := int64(0); ; {
		got, err := in.Read(buf)
		for i := range got {
			if ask(buf[i]) {
				at = append(at, n+int64(i))
			}
		}
		n += int64(got)
		if errors.Is(err, io.EOF) || err == nil && got == 0 {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if last > 0 && len(at) > last {
		at = at[len(at)-last:]
	}
	var out []span
	for _, i := range at {
		// A seek costs more than reading over a few rows, which readRows would have
		// to leave out; so only neighbours make a run.
		if k := len(out) - 1; k >= 0 && out[k][1] == i {
			out[k][1] = i + 1
		} else {
			out = append(out, span{i, i + 1})
		}
	}
	return out, nil
}

// readRows reads the runs, which are in order.
func readRows[R any](file *parquet.File, model string, want []span, record func(*R, string) (prediction.Record, error)) ([]prediction.Record, error) {
	in := parquet.NewGenericReader[R](file)
	defer func() { _ = in.Close() }()
	var out []prediction.Record
	buf := make([]R, batchRows)
	at := int64(0) // the row that is read next
	for _, w := range want {
		if w[0]-at > batchRows {
			if err := in.SeekToRow(w[0]); err != nil {
				return nil, err
			}
			at = w[0]
		}
		for at < w[1] {
			n := w[1] - at
			if at < w[0] {
				n = w[0] - at
			}
			got, err := in.Read(buf[:min(n, batchRows)])
			for i := range got {
				if at+int64(i) < w[0] {
					continue
				}
				r, err := record(&buf[i], model)
				if err != nil {
					return nil, err
				}
				out = append(out, r)
			}
			at += int64(got)
			if at < w[1] && (got == 0 || err != nil) {
				return nil, fmt.Errorf("row %d of %d: %w", at, file.NumRows(), cmp.Or(err, io.ErrUnexpectedEOF))
			}
			clear(buf[:got]) // or slices that were given out would be written again
		}
	}
	return out, nil
}
