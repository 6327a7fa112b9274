// SPDX-License-Identifier: Apache-2.0

package rehearse

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strconv"
	"time"

	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/source"
	"flyball/fault"
)

// place is where the model of a rehearsal has its source. It names no file.
const place = "rehearsal://history"

// rowKey is the column that names rows where the model file names none. Rows without a
// key get their number: who answers a row is drawn by its key, and ids are drawn anew
// each time.
const rowKey = "rehearsal_row"

// Stream is a history, in order of when its rows were asked, with what hindsight knows
// of them. It is not changed after New, and may be rehearsed by several at once.
type Stream struct {
	Task     dataset.Task
	From, To time.Time // rows asked at or after From and before To are served

	rows        *frame.Frame
	asked       []int64 // when, in microseconds
	due         []int64
	known       []int64 // when the label came; NoTime: never
	truth       []float64
	classes     []string
	first, last int   // of the rows that are served: [first, last)
	horizon     int64 // the newest moment that the history tells of: what was due later may be known too early
}

// NewStream takes a history apart at from and to; zero: in the middle of its rows, and
// after the last. Tasks without a time of their rows cannot be rehearsed.
func NewStream(task dataset.Task, rows *frame.Frame, from, to time.Time) (*Stream, error) {
	if task.Time == "" {
		return nil, fault.New(fault.Invalid, "the model file does not say when a row is asked, so nothing can be rehearsed").Do("name a column of times as predict.time")
	}
	asked, err := dataset.Times(rows, task.Time)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		return nil, fault.New(fault.Invalid, "the history has no rows")
	}
	order := make([]int, len(asked))
	for i := range order {
		if order[i] = i; asked[i] == frame.NoTime {
			return nil, fault.New(fault.Invalid, "row %d, column %q: the row has no time", i+1, task.Time)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return asked[order[a]] < asked[order[b]] })
	s := &Stream{Task: task, rows: rows.Take(order), From: from.UTC(), To: to.UTC()}
	for _, i := range order {
		s.asked = append(s.asked, asked[i])
	}
	if s.Task.ID = cmp.Or(task.ID, rowKey); rows.Column(s.Task.ID) == nil {
		key := make([]string, len(order))
		for i := range key {
			key[i] = strconv.Itoa(i + 1)
		}
		s.rows = frame.New(append(slices.Clone(s.rows.Columns()), frame.TextColumn(s.Task.ID, key, nil))...)
	}
	if err := s.hindsight(); err != nil {
		return nil, err
	}
	return s, s.bound()
}

// hindsight finds what every row came to and when that was known.
func (s *Stream) hindsight() (err error) {
	if s.due, err = s.Task.Due(s.rows); err != nil {
		return err
	}
	if s.truth, s.classes, err = s.Task.Labels(s.rows, time.UnixMicro(math.MaxInt64/2)); err != nil {
		return err
	}
	s.known = s.due
	s.horizon = slices.Max(s.asked)
	if s.Task.Truth.KnownAt == "" {
		return nil
	}
	if s.known, err = dataset.Times(s.rows, s.Task.Truth.KnownAt); err != nil {
		return err
	}
	s.known = slices.Clone(s.known)
	for i, at := range s.known {
		if at == frame.NoTime {
			s.known[i] = s.due[i]
		} else {
			s.horizon = max(s.horizon, at)
		}
	}
	return nil
}

func (s *Stream) bound() error {
	n := len(s.asked)
	if s.From.IsZero() || s.From.Year() == 1 {
		s.From = time.UnixMicro(s.asked[n/2]).UTC().Truncate(24 * time.Hour)
	}
	if s.To.IsZero() || s.To.Year() == 1 {
		s.To = time.UnixMicro(s.asked[n-1]).UTC().Truncate(time.Hour).Add(time.Hour)
	}
	s.first, s.last = s.before(s.From), s.before(s.To)
	switch {
	case s.first == 0:
		return fault.New(fault.Invalid, "no row was asked before %s: nothing is there to train the first version on", s.From.Format(time.DateTime)).Do("begin later, with --from")
	case s.first >= s.last:
		return fault.New(fault.Invalid, "no row was asked from %s to %s", s.From.Format(time.DateTime), s.To.Format(time.DateTime)).Do("choose other days, with --from and --to")
	}
	return nil
}

// arrivedAt is the column of when the label of a row comes, whenever it is due.
const arrivedAt = "rehearsal_arrived"

// arrived is the stream whose rows say when their label comes, as nobody could.
func (s *Stream) arrived() *Stream {
	out := *s
	at := slices.Clone(s.known)
	for i := range at {
		if s.label(i) == "" {
			at[i] = s.horizon + 1
		}
	}
	out.rows = frame.New(append(slices.Clone(s.rows.Columns()), frame.TimeColumn(arrivedAt, at))...)
	return &out
}

// before is how many rows were asked before t.
func (s *Stream) before(t time.Time) int {
	us := t.UnixMicro()
	return sort.Search(len(s.asked), func(i int) bool { return s.asked[i] >= us })
}

// Rows is how many rows are served.
func (s *Stream) Rows() int { return s.last - s.first }

// requests are the rows [from, to) as they are asked: without what nobody knows yet.
func (s *Stream) requests(from, to int) (*frame.Frame, error) {
	var names []string
	for _, f := range s.rows.Fields() {
		if f.Name != s.Task.Column && (f.Name != s.Task.Truth.KnownAt || f.Name == s.Task.Truth.DueAt) {
			names = append(names, f.Name)
		}
	}
	return s.rows.Slice(from, to).Select(names...)
}

// label is the truth of row i as a caller sends it; empty: it never came.
func (s *Stream) label(i int) string {
	if math.IsNaN(s.truth[i]) {
		return ""
	}
	if s.Task.Kind == dataset.Multiclass {
		return s.classes[int(s.truth[i])]
	}
	return strconv.FormatFloat(s.truth[i], 'g', -1, 64)
}

// arrivals are the served rows that get a label, in the order in which these came.
func (s *Stream) arrivals() []int {
	var out []int
	for i := s.first; i < s.last; i++ {
		if s.label(i) != "" {
			out = append(out, i)
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return s.known[out[a]] < s.known[out[b]] })
	return out
}

// sources gives the source as it was at a moment: what was asked before the rehearsal,
// and, where what was served is not training data by itself, what was asked until now.
type sources struct {
	stream *Stream
	grows  bool
	now    func() time.Time
}

// Open gives the rows.
func (s *sources) Open(_ context.Context, d dataset.Settings) (*source.Set, error) {
	if d.Source != place {
		return nil, fault.New(fault.Refused, "a rehearsal reads its history alone, not %s", d.Source)
	}
	end := s.stream.first
	if s.grows {
		end = max(end, min(s.stream.before(s.now()), s.stream.last))
	}
	f := s.stream.rows.Slice(0, end)
	return &source.Set{Parts: []source.Part{{
		Name: "history",
		Inspect: func(context.Context, map[string]frame.Kind) ([]frame.Seen, error) {
			return nil, fault.New(fault.Internal, "the columns of a rehearsal are known")
		},
		Open: func(context.Context, map[string]frame.Kind) (frame.Reader, error) { return &once{f}, nil },
	}}}, nil
}

// once reads a frame, in one piece.
type once struct{ f *frame.Frame }

// Next gives the frame, and then the end.
func (o *once) Next() (*frame.Frame, error) {
	f := o.f
	if o.f = nil; f == nil {
		return nil, io.EOF
	}
	return f, nil
}

func day(us int64) string { return time.UnixMicro(us).UTC().Format(time.DateOnly) }

// String says what is rehearsed.
func (s *Stream) String() string {
	return fmt.Sprintf("%d rows asked from %s to %s, after %d of history", s.Rows(), s.From.Format(time.DateOnly), day(s.asked[s.last-1]), s.first)
}
