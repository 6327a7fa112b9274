// SPDX-License-Identifier: Apache-2.0

package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/blob"
	"flyball/data/frame"
	"flyball/fault"
)

// many are rows of each kind, drawn with a seed.
func many(n int, seed uint64) *frame.Frame {
	r := rand.New(rand.NewPCG(seed, 1))
	num, y, at := make([]float64, n), make([]float64, n), make([]int64, n)
	text, null := make([]string, n), make([]bool, n)
	for i := range n {
		num[i], y[i], at[i] = r.NormFloat64(), float64(r.IntN(2)), day(1).UnixMicro()+int64(i)*1e6
		if r.IntN(50) == 0 {
			num[i] = math.NaN()
		}
		if null[i] = r.IntN(20) == 0; !null[i] {
			text[i] = fmt.Sprint("word ", r.IntN(40))
		}
	}
	return frame.New(frame.NumberColumn("x", num), frame.TextColumn("w", text, null), frame.TimeColumn("at", at), frame.NumberColumn("y", y))
}

// pieces gives a frame in chunks of uneven sizes.
type pieces struct {
	of    *frame.Frame
	at    int
	sizes []int
	fail  error // after the last
}

func (p *pieces) Next() (*frame.Frame, error) {
	if p.at >= p.of.Rows() {
		if p.fail != nil {
			return nil, p.fail
		}
		return nil, io.EOF
	}
	n := min(p.sizes[0], p.of.Rows()-p.at)
	p.sizes = append(p.sizes[1:], p.sizes[0])
	p.at += n
	return p.of.Slice(p.at-n, p.at), nil
}

func TestASnapshotDoesNotDependOnTheChunks(t *testing.T) {
	f, blobs := many(200_000, 1), blob.Memory()
	task := Task{Column: "y", Time: "at", Truth: Truth{KnownAt: "at"}}
	want, err := Write(t.Context(), blobs, frame.FromMemory(f), task)
	if err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][]int{{1000}, {7, 60_000, 1}, {8192}} {
		got, err := Write(t.Context(), blobs, &pieces{of: f, sizes: sizes}, task)
		if err != nil || got.ID != want.ID {
			t.Errorf("chunks of %v: got %s, %v; want %s", sizes, got.ID, err, want.ID)
		}
	}
	s, err := Open(t.Context(), blobs, want.ID)
	if err != nil || len(s.Files) < 3 || s.Count != 200_000 {
		t.Fatalf("got %d files of %d rows, %v", len(s.Files), s.Count, err)
	}
	rows, err := s.Rows(t.Context(), blobs)
	if err != nil || rows.Rows() != f.Rows() {
		t.Fatalf("got %v", err)
	}
	for _, i := range []int{0, 8191, 99_999, 199_999} {
		for k := range f.Columns() {
			if a, b := f.Columns()[k].Format(i), rows.Columns()[k].Format(i); a != b {
				t.Errorf("row %d, column %d: got %q, want %q", i, k, b, a)
			}
		}
	}
}

func TestSnapshotsShareTheFilesThatAreEqual(t *testing.T) {
	f, blobs := many(400_000, 2), blob.Memory()
	task := Task{Column: "y"}
	before, err := Write(t.Context(), blobs, frame.FromMemory(f), task)
	if err != nil {
		t.Fatal(err)
	}
	keep := make([]int, 0, f.Rows())
	for i := range f.Rows() {
		if i != 150_000 && i != 150_007 { // two rows are gone
			keep = append(keep, i)
		}
	}
	grown, err := frame.Concat(f.Take(keep), many(1000, 3)) // and some are new
	if err != nil {
		t.Fatal(err)
	}
	after, err := Write(t.Context(), blobs, frame.FromMemory(grown), task)
	if err != nil {
		t.Fatal(err)
	}
	shared := 0
	for _, file := range after.Files {
		if slices.Contains(before.Files, file) {
			shared++
		}
	}
	if shared < len(before.Files)-3 || shared == len(after.Files) {
		t.Errorf("%d of %d files are shared", shared, len(after.Files))
	}
}

func TestASnapshotOfTheFormatBeforeIsRead(t *testing.T) {
	blobs := blob.Memory()
	f, task := bookings()
	s, err := Write(t.Context(), blobs, frame.FromMemory(f), task)
	if err != nil {
		t.Fatal(err)
	}
	old := fmt.Sprintf(`{"format": "flyball.snapshot/v1", "rows": 10, "data": %q, "bytes": %d, "schema": [
		{"name": "asked", "kind": "time"}, {"name": "due", "kind": "time"}, {"name": "known", "kind": "time"}, {"name": "y", "kind": "number"}],
		"labelled": 10, "columns": []}`, s.Files[0].Data, s.Files[0].Bytes)
	id, _, err := blobs.Put(t.Context(), strings.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(t.Context(), blobs, id)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := got.Rows(t.Context(), blobs)
	if err != nil || rows.Rows() != 10 || got.Files[0] != s.Files[0] {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, wrong := range []string{
		`{}`, `{"format": "flyball.snapshot/v3"}`, `{"format": "flyball.snapshot/v2", "rows": 3, "files": [{"rows": 2}]}`,
		`{"format": "flyball.snapshot/v2", "rows": 1, "files": [{"rows": 2}, {"rows": -1}]}`,
	} {
		id, _, err := blobs.Put(t.Context(), strings.NewReader(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), blobs, id); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", wrong, err)
		}
	}
	raw, err := blob.ReadAll(t.Context(), blobs, s.ID, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	id, _, err = blobs.Put(t.Context(), strings.NewReader(strings.ReplaceAll(string(raw), `"rows": 10`, `"rows": 11`)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = Open(t.Context(), blobs, id); err != nil {
		t.Fatal(err)
	}
	if _, err := got.Rows(t.Context(), blobs); !fault.Is(err, fault.Invalid) {
		t.Errorf("a file with fewer rows than it should have: got %v", err)
	}
}

func TestAReaderThatFailsMakesNoSnapshot(t *testing.T) {
	broken := errors.New("broken")
	_, err := Write(t.Context(), blob.Memory(), &pieces{of: many(50_000, 4), sizes: []int{1000}, fail: broken}, Task{Column: "y"})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err = Write(t.Context(), blob.Memory(), frame.FromMemory(many(10, 4)), Task{Column: "z"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("without the column to predict: got %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err = Write(stopped, blob.Memory(), frame.FromMemory(many(10, 4)), Task{Column: "y"}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: got %v", err)
	}
	empty := frame.Empty([]frame.Field{{Name: "y", Kind: frame.Number}})
	blobs := blob.Memory()
	s, err := Write(t.Context(), blobs, frame.FromMemory(empty), Task{Column: "y"})
	if err != nil || s.Count != 0 {
		t.Fatalf("no rows: got %+v, %v", s, err)
	}
	if rows, err := s.Rows(t.Context(), blobs); err != nil || rows.Rows() != 0 || rows.Column("y") == nil {
		t.Errorf("no rows: got %v, %v", rows, err)
	}
}

func TestTheProfileSaysWhatTheColumnsHold(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	f := frame.New(
		frame.NumberColumn("x", []float64{4, 2, nan, 2, inf}),
		frame.NumberColumn("huge", []float64{1e308, 1.5e308, 1e308, 1e308, 1e308}),
		frame.TextColumn("w", []string{"b", "a", "", "a", ""}, []bool{false, false, true, false, false}),
		frame.TimeColumn("t", []int64{day(3).UnixMicro(), frame.NoTime, day(1).UnixMicro(), day(2).UnixMicro(), day(2).UnixMicro()}),
		frame.NumberColumn("none", []float64{nan, nan, nan, nan, nan}),
	)
	s, err := Write(t.Context(), blob.Memory(), frame.FromMemory(f), Task{Column: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Columns) != 5 {
		t.Fatalf("got %d columns", len(s.Columns))
	}
	x, huge, w, at, none := s.Columns[0], s.Columns[1], s.Columns[2], s.Columns[3], s.Columns[4]
	if x.Missing != 1 || x.Infinite != 1 || x.Distinct != 3 || x.Min != 2 || x.Max != 4 || math.Abs(x.Mean-8.0/3) > 1e-12 || math.Abs(x.SD-math.Sqrt(8.0/9)) > 1e-12 ||
		!slices.Equal(x.Top, []Top{{"2", 2}, {"+Inf", 1}, {"4", 1}}) || x.Quantiles[10] != 2 || x.Quantiles[20] != 4 {
		t.Errorf("x: got %+v", x)
	}
	if math.Abs(huge.Mean-1.1e308) > 1e297 || huge.Max != 1.5e308 {
		t.Errorf("huge: got %+v", huge)
	}
	if w.Missing != 1 || w.Distinct != 3 || w.Longest != 1 || !slices.Equal(w.Top, []Top{{"a", 2}, {"", 1}, {"b", 1}}) {
		t.Errorf("w: got %+v", w)
	}
	if !at.From.Equal(day(1)) || !at.To.Equal(day(3)) || at.Quantiles[10] != float64(day(2).Unix()) || at.Top[0] != (Top{day(2).Format(time.RFC3339), 2}) {
		t.Errorf("t: got %+v", at)
	}
	if none.Missing != 5 || none.Quantiles != nil || none.Top != nil {
		t.Errorf("none: got %+v", none)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
}

func TestTheQuantilesOfManyRowsAreCloseToThoseOfAll(t *testing.T) {
	f := many(1_000_000, 5)
	p := newProfiler(f.Fields())
	for r := frame.Reader(&pieces{of: f, sizes: []int{9999}}); ; {
		c, err := r.Next()
		if err != nil {
			break
		}
		p.add(c)
	}
	got := p.columns()[0].Quantiles
	all := slices.DeleteFunc(slices.Clone(f.Column("x").Num), math.IsNaN)
	slices.Sort(all)
	for i, x := range got {
		at, _ := slices.BinarySearch(all, x)
		if share := float64(at) / float64(len(all)); math.Abs(share-float64(i)/quantiles) > 0.01 {
			t.Errorf("%d %%: got %g, which is at %.3f", i*5, x, share)
		}
	}
	if len(p.of) > sampleRows || len(p.of) < sampleRows/3 {
		t.Errorf("the sample has %d rows", len(p.of))
	}
}
