// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/fault"
	"flyball/ident"
	"flyball/internal/fuzzcheck"
	"flyball/serving/prediction"
)

// shelf keeps shipments as a bucket does: what is there stays.
type shelf map[string]map[int64][]byte

func (s shelf) put(_ context.Context, x Shipment) error {
	if s[x.Origin] == nil {
		s[x.Origin] = map[int64][]byte{}
	}
	if was, ok := s[x.Origin][x.Seq]; ok && !bytes.Equal(was, x.Body) {
		return fault.New(fault.Conflict, "others are there")
	}
	s[x.Origin][x.Seq] = x.Body
	return nil
}

// ship ships all that waits.
func ship(t *testing.T, l *Log, put func(context.Context, Shipment) error) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = l.Ship(context.Background(), put); err != nil {
			t.Fatal(err)
		}
	}
}

// takeAll takes what the log has not taken yet, and gives how many rows it added.
func takeAll(t *testing.T, l *Log, s shelf) int {
	t.Helper()
	n := 0
	for origin, bodies := range s {
		known, err := l.Taken(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for seq := known[origin].Seq + 1; bodies[seq] != nil; seq++ {
			got, err := l.Take(context.Background(), bodies[seq])
			if err != nil {
				t.Fatal(err)
			}
			n += got[0].Rows
		}
	}
	return n
}

func TestWhatIsShippedIsTakenWhole(t *testing.T) {
	from, to := start(t, t.TempDir(), Options{Shipping: Move}), start(t, t.TempDir(), Options{})
	rich := full()
	rich.Audit = map[string]string{"gender": "f"}
	from.append(rich, record(2, 0), record(3, 30))
	if err := from.AppendReasons(context.Background(), prediction.Reasoned{ID: rich.ID, Model: rich.Model, Time: rich.Time, Reasons: []byte(`{"base":1}`)}); err != nil {
		t.Fatal(err)
	}
	from.label(keyed("b-2", "1", 3), keyed("b-9", "0", 3))
	if err := from.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := scanAll(t, from.Log, prediction.Query{Model: rich.Model}); len(got) != 0 {
		t.Errorf("a log that moves all keeps %d", len(got))
	}
	s := shelf{}
	ship(t, from.Log, s.put)
	if got := takeAll(t, to.Log, s); got != 3 {
		t.Errorf("took %d rows", got)
	}
	beside := start(t, t.TempDir(), Options{})
	beside.append(rich, record(2, 0), record(3, 30))
	if err := beside.AppendReasons(context.Background(), prediction.Reasoned{ID: rich.ID, Model: rich.Model, Time: rich.Time, Reasons: []byte(`{"base":1}`)}); err != nil {
		t.Fatal(err)
	}
	beside.label(keyed("b-2", "1", 3), keyed("b-9", "0", 3))
	for _, model := range []string{"m", rich.Model} {
		q := prediction.Query{Model: model, Reasons: true, Audit: true}
		if got, want := scanAll(t, to.Log, q), scanAll(t, beside.Log, q); fmt.Sprintf("%+v", labels(got)) != fmt.Sprintf("%+v", labels(want)) || len(want) == 0 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if n, _, err := to.Unmatched(context.Background(), "m"); n != 1 || err != nil {
		t.Errorf("%d labels wait (%v), not that of b-9", n, err)
	}
	to.append(record(9, 1))
	if n, _, err := to.Unmatched(context.Background(), "m"); n != 0 || err != nil {
		t.Errorf("%d labels wait (%v)", n, err)
	}
}

// labels are joined rows with their labels as values.
func labels(js []prediction.Joined) []any {
	var out []any
	for _, j := range js {
		var x prediction.Label
		if j.Label != nil {
			x = *j.Label
		}
		out = append(out, j.Record, x)
	}
	return out
}

func TestAShipmentIsTakenOnceAndInItsOrder(t *testing.T) {
	from, to := start(t, t.TempDir(), Options{Shipping: Move}), start(t, t.TempDir(), Options{})
	s := shelf{}
	for i := range 3 {
		from.append(record(i, 0))
		ship(t, from.Log, s.put)
	}
	m, err := from.Shipped(context.Background())
	if err != nil || m.Seq != 3 {
		t.Fatal(m, err)
	}
	take := func(seqs ...int64) (rows int, err error) {
		var bodies [][]byte
		for _, seq := range seqs {
			bodies = append(bodies, s[m.Origin][seq])
		}
		got, err := to.Take(context.Background(), bodies...)
		for _, x := range got {
			rows += x.Rows
		}
		return rows, err
	}
	_, err = take(1, 3)
	if !fault.Is(err, fault.Conflict) || !strings.HasPrefix(err.Error(), fmt.Sprintf("shipment 3 of origin %s cannot be taken: 2 is missing", m.Origin)) {
		t.Errorf("got %v", err)
	}
	for _, c := range []struct {
		seqs []int64
		want int
	}{{[]int64{1}, 1}, {[]int64{1}, 0}, {[]int64{1, 2, 2, 3}, 2}, {[]int64{2, 3}, 0}} {
		if n, err := take(c.seqs...); n != c.want || err != nil {
			t.Errorf("shipments %d: %d rows, want %d (%v)", c.seqs, n, c.want, err)
		}
	}
	if got := scanAll(t, to.Log, prediction.Query{Model: "m"}); len(got) != 3 {
		t.Errorf("%d rows", len(got))
	}
	to = start(t, t.TempDir(), Options{}) // of which the origin knows nothing: it goes on where it was
	if n, err := take(2); n != 1 || err != nil {
		t.Errorf("the first that comes: %d rows, %v", n, err)
	}
	if _, err = take(1, 3); err != nil {
		t.Errorf("one from before, and the next: %v", err)
	}
	if got := scanAll(t, to.Log, prediction.Query{Model: "m"}); len(got) != 2 {
		t.Errorf("%d rows", len(got))
	}
}

// TestALogThatCopiesKeepsAllAndTakesNothingOfItsOwn is the log of who takes.
func TestALogThatCopiesKeepsAllAndTakesNothingOfItsOwn(t *testing.T) {
	l, s := start(t, t.TempDir(), Options{Shipping: Copy}), shelf{}
	l.append(record(1, 0))
	ship(t, l.Log, s.put)
	if n := takeAll(t, l.Log, s); n != 0 {
		t.Errorf("took %d of its own", n)
	}
	if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 1 {
		t.Errorf("%d rows", len(got))
	}
	other := start(t, t.TempDir(), Options{Shipping: Copy})
	if n := takeAll(t, other.Log, s); n != 1 {
		t.Errorf("another took %d", n)
	}
	if more, err := other.Ship(context.Background(), s.put); more || err != nil {
		t.Errorf("what was taken is shipped again (%v)", err)
	}
}

// TestAKillInTheMiddleOfShippingLosesAndDoublesNothing opens the log again after each step
// of a shipment.
func TestAKillInTheMiddleOfShippingLosesAndDoublesNothing(t *testing.T) {
	dir, s := t.TempDir(), shelf{}
	to := start(t, t.TempDir(), Options{})
	killed := errors.New("killed")
	for i, put := range []func(context.Context, Shipment) error{
		func(context.Context, Shipment) error { return killed },                                      // before it was kept
		func(ctx context.Context, x Shipment) error { return errors.Join(s.put(ctx, x), killed) },    // after
		func(ctx context.Context, x Shipment) error { return errors.Join(s.put(ctx, x), ctx.Err()) }, // not at all
		func(ctx context.Context, x Shipment) error {
			takeAll(t, to.Log, s)
			return errors.Join(s.put(ctx, x), killed)
		}, // after, and it is taken
	} {
		l := start(t, dir, Options{Shipping: Move})
		l.append(record(2*i, 0), record(2*i+1, 0))
		if _, err := l.Ship(context.Background(), put); err != nil && !errors.Is(err, killed) {
			t.Fatal(err)
		}
		l.stop()
	}
	l := start(t, dir, Options{Shipping: Move})
	takeAll(t, to.Log, s)
	ship(t, l.Log, s.put)
	takeAll(t, to.Log, s)
	if got := scanAll(t, to.Log, prediction.Query{Model: "m"}); len(got) != 8 || len(s) != 1 {
		t.Errorf("%d rows of %d origins", len(got), len(s))
	}
	if n := stagedRows(t, to.Log); n != 8 {
		t.Errorf("%d rows are staged", n)
	}
}

// stagedRows is how many rows the chunks hold, doubles too.
func stagedRows(t *testing.T, l *Log) (n int) {
	t.Helper()
	if err := l.read.QueryRow(`SELECT coalesce(sum(rows), 0) FROM chunk`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestACopyOfAFolderGoesOnUnderANewName(t *testing.T) {
	s := shelf{}
	dir, copied := t.TempDir(), t.TempDir()
	l := start(t, dir, Options{Shipping: Move})
	l.append(record(1, 0))
	ship(t, l.Log, s.put)
	l.stop()
	b, err := os.ReadFile(dir + "/staged.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied+"/staged.db", b, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, d := range []string{dir, copied} {
		l := start(t, d, Options{Shipping: Move})
		l.append(record(i+2, 0))
		ship(t, l.Log, s.put)
	}
	to := start(t, t.TempDir(), Options{})
	if n := takeAll(t, to.Log, s); n != 3 || len(s) != 2 {
		t.Errorf("%d rows of %d origins", n, len(s))
	}
}

func TestALargeBacklogIsShippedInParts(t *testing.T) {
	l, s := start(t, t.TempDir(), Options{Shipping: Move, QueueRows: 1 << 20}), shelf{}
	many := make([]prediction.Record, 40_000)
	for i := range many {
		many[i] = record(i, 0)
	}
	for range 6 {
		l.append(many...)
	}
	ship(t, l.Log, s.put)
	for _, bodies := range s {
		if len(bodies) != 6 && len(bodies) != 3 {
			t.Errorf("%d shipments", len(bodies))
		}
		for _, b := range bodies {
			if len(b) > shipBytes+4096 {
				t.Errorf("a shipment of %d bytes", len(b))
			}
		}
	}
}

func TestAnIdleLogHasShippedUpToNow(t *testing.T) {
	now := noon
	l, s := start(t, t.TempDir(), Options{Shipping: Move, Late: time.Minute, Now: func() time.Time { return now }}), shelf{}
	upTo := func() time.Time {
		m, err := l.Shipped(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return m.UpTo
	}
	if got, want := upTo(), noon.Add(-time.Minute); !got.Equal(want) {
		t.Errorf("at first %v", got)
	}
	l.append(record(1, 0))
	now = now.Add(time.Hour)
	if got := upTo(); !got.Before(noon) {
		t.Errorf("with a row that waits %v", got)
	}
	ship(t, l.Log, s.put)
	if got, want := upTo(), noon.Add(59*time.Minute); !got.Equal(want) {
		t.Errorf("at last %v", got)
	}
	now = noon
	if got := upTo(); !got.Equal(noon.Add(-time.Minute)) && !got.Equal(noon.Add(59*time.Minute)) {
		t.Errorf("the clock went back: %v", got)
	}
}

func TestAFolderThatHoldsPredictionsMovesNothing(t *testing.T) {
	dir := t.TempDir()
	l := start(t, dir, Options{})
	l.append(record(1, 0))
	l.stop()
	if _, err := Open(dir, Options{Shipping: Move}); !fault.Is(err, fault.Conflict) {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasNotMovedYetIsKeptWhenTheFolderBecomesAnOrdinaryOne(t *testing.T) {
	for _, to := range []Shipping{Keep, Copy} {
		dir, s := t.TempDir(), shelf{}
		l := start(t, dir, Options{Shipping: Move})
		l.append(record(1, 0))
		ship(t, l.Log, s.put)
		l.append(record(2, 0), record(3, 0))
		l.stop()
		l = start(t, dir, Options{Shipping: to})
		if got := scanAll(t, l.Log, prediction.Query{Model: "m"}); len(got) != 2 {
			t.Errorf("%d rows", len(got))
		}
		l.stop()
		l = start(t, dir, Options{Shipping: to})
		if n := stagedRows(t, l.Log); n != 2 {
			t.Errorf("%d rows once it was opened again", n)
		}
	}
}

// TestTwoOriginsInterleaved has logs ship while others are taken, in any order.
func TestTwoOriginsInterleaved(t *testing.T) {
	to, s := start(t, t.TempDir(), Options{Shipping: Copy}), shelf{}
	from := []*atWork{start(t, t.TempDir(), Options{Shipping: Move}), start(t, t.TempDir(), Options{Shipping: Move})}
	var want []ident.PredictionID
	for i := range 60 {
		r := record(i, rand.Float64()*30)
		want = append(want, r.ID)
		switch at := rand.IntN(3); at {
		case 2:
			to.append(r)
		default:
			from[at].append(r)
			from[at].label(keyed(r.Key, "1", 40))
		}
		if rand.IntN(3) == 0 {
			ship(t, from[rand.IntN(2)].Log, s.put)
			takeAll(t, to.Log, s)
		}
	}
	ship(t, from[0].Log, s.put)
	ship(t, from[1].Log, s.put)
	takeAll(t, to.Log, s)
	var got []ident.PredictionID
	for _, j := range scanAll(t, to.Log, prediction.Query{Model: "m"}) {
		got = append(got, j.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || stagedRows(t, to.Log) != 60 {
		t.Errorf("%d rows, %d staged", len(got), stagedRows(t, to.Log))
	}
	marks, err := to.Taken(context.Background())
	if err != nil || len(marks) != 2 {
		t.Errorf("%v (%v)", marks, err)
	}
}

func FuzzAShipmentIsTakenOrRefused(f *testing.F) {
	r, o := full(), record(1, 0)
	r.Audit = map[string]string{"gender": "f"}
	it, err := encode([]prediction.Record{r, o})
	if err != nil {
		f.Fatal(err)
	}
	it.labels = []prediction.Label{keyed("k", "1", 1)}
	it.reasons = []reasoned{{part: part{"m", 3}, hour: 4, body: []byte{1, 'a', 2, '{', '}'}}}
	body := appendBatch(batchOf([]*item{it}))
	f.Add(body)
	f.Add(append(body, body...))
	f.Add(body[:len(body)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		whole := appendShipment(nil, Mark{Origin: newOrigin(), Seq: 1, UpTo: noon}, []entry{{seq: 3, body: body}})
		fuzzcheck.Within(t, len(whole), 1<<16, func() {
			if _, es, err := decodeShipment(whole); err == nil {
				_ = newGathered().add(es[0].body)
			}
		})
		if _, _, err := decodeShipment(body); err == nil {
			t.Error("a body by itself is no shipment")
		}
		g := newGathered()
		if err := g.add(body); err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		// What is taken can be read, and is taken again as it was written.
		for _, c := range g.chunks {
			rs, err := decodeBody(c.model, c.body)
			if err != nil || len(rs) != c.rows {
				t.Fatalf("%d rows, read %d (%v)", c.rows, len(rs), err)
			}
			if err := decodeAudit(c.model, c.audit, newGroups()); c.audit != nil && err != nil {
				t.Fatal(err)
			}
		}
		again := newGathered()
		written := appendBatch(&g.batch)
		if err := again.add(written); err != nil || !bytes.Equal(written, appendBatch(&again.batch)) {
			t.Errorf("written again it is another (%v)", err)
		}
	})
}
