// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/data/frame"
	"flyball/model"
	"flyball/serving/release"
	"flyball/training/learner"
)

// byHand is a loop in which nothing happens by itself: the test trains, promotes and
// rolls back. The log drops what it cannot keep, so that nothing waits for the disk.
var byHand = [][2]string{
	{"trees: 200, depth: 6, learning_rate: 0.1", "trees: 20, depth: 4, learning_rate: 0.2"},
	{"  seed: 7", "  seed: 7\n  refit: never"}, // the newest rows stay unseen, so that each version is judged
	{"  reproduce: required\n", ""},
	{"also: predictions", "also: none"}, // a million served rows would be read at every training
	{"shadow: {for: 5d, at_least: 100}", "shadow: {for: 0s, at_least: 0}"},
	{"canary: [{share: 25%, for: 1d}, {share: 100%}]", "canary: [{share: 50%, for: 1d}, {share: 100%}]"},
	{"back_if: {errors: {above: 1%}, latency_p99: {above: 50ms}, loss: worse}", "back_if: {errors: {above: 1%}}"},
	{"margin: 1.5", "margin: 50"}, // versions of few trees must pass
	{"hold_after: rollback", "hold_after: never"},
	{"log: {durable: true, when_full: wait}", "log: {durable: false, when_full: drop}"},
}

// told is one answer, as small as two million of them must be.
type told struct {
	row     int32
	version int32
	value   float64
}

// load asks for the rows in turn, from several callers at once.
type load struct {
	server *server
	hours  []hour
	limit  int64 // requests at least
	every  int64 // requests between two swaps
	due    chan struct{}

	swapped atomic.Bool // no swap is to come

	sent   atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[error]
	mu     sync.Mutex
	told   []told
}

// run asks until the limit is reached and the swaps are done.
func (l *load) run(ctx context.Context, callers int) {
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			var mine []told
			for {
				n := l.sent.Add(1)
				if n > l.limit && l.swapped.Load() {
					break
				}
				if n%l.every == 0 {
					select {
					case l.due <- struct{}{}:
					default: // the swaps are behind; they catch up
					}
				}
				if got, err := l.ask(ctx, int(n)); err != nil {
					l.failed.Add(1)
					l.first.CompareAndSwap(nil, &err)
				} else {
					mine = append(mine, got...)
				}
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.told = append(l.told, mine...)
		})
	}
	all.Wait()
}

// ask asks for two rows.
func (l *load) ask(ctx context.Context, n int) ([]told, error) {
	at := []int{n % len(l.hours), (n * 7) % len(l.hours)}
	got, err := l.server.Predict(ctx, bike, []json.RawMessage{l.hours[at[0]].row(nil), l.hours[at[1]].row(nil)})
	if err != nil {
		return nil, err
	}
	if len(got.Predictions) != len(at) {
		return nil, fmt.Errorf("%d answers to %d rows", len(got.Predictions), len(at))
	}
	out := make([]told, len(at))
	for i, p := range got.Predictions {
		if p.Value == nil || p.Arm != "live" && p.Arm != "candidate" {
			return nil, fmt.Errorf("%s is answered by %s with %v", p.Key, p.Arm, p.Value)
		}
		out[i] = told{int32(at[i]), int32(p.Version), *p.Value}
	}
	return out, nil
}

func TestVersionsArePromotedAndRolledBackUnderLoadAndNoRequestFails(t *testing.T) {
	past, _ := history(t)
	past = past[len(past)-150*24:]
	dir := t.TempDir()
	s := start(t, dir)
	live(t, s, modelFile(t, byHand...), past)

	// Of 45 versions 30 are taken back: 165 swaps. Then 20 come that cannot answer.
	cycles, failing, limit := sized(2, 45), sized(1, 20), int64(sized(50_000, 1_000_000))
	pauses := 4*cycles + failing
	l := &load{server: s, hours: past[:500], limit: limit, every: limit / int64(pauses), due: make(chan struct{}, pauses)}
	done := make(chan struct{})
	go func() { defer close(done); l.run(t.Context(), 4) }()
	func() {
		defer func() { l.swapped.Store(true); <-done }()
		for i := range cycles {
			l.cycle(t, modelFile(t, append(byHand, [2]string{"trees: 20,", fmt.Sprintf("trees: %d,", 21+i)})...), csvFile(past), i)
		}
		held := resident(t, s)
		for i := range failing {
			l.failure(t, csvWith(t, csvFile(past), "extra"), cycles, i)
		}
		// What the log keeps in memory until it is written has a bound of its own.
		if now := resident(t, s); now > held+held/2+128<<20 {
			t.Errorf("the server held %d MB and holds %d MB now", held>>20, now>>20)
		}
	}()
	if n := l.failed.Load(); n != 0 {
		t.Errorf("%d requests failed, the first: %v", n, *l.first.Load())
	}
	if len(l.told) < 2*int(limit) {
		t.Errorf("%d answers to %d requests of two rows", len(l.told), limit)
	}
	l.equal(t, dir, cycles+1)
}

// cycle trains a version, releases it, takes it live, and mostly takes it back.
func (l *load) cycle(t *testing.T, file string, data []byte, i int) {
	t.Helper()
	ctx, s := t.Context(), l.server
	before := status(t, s)
	if err := apply(ctx, s.Client, file, data); err != nil {
		t.Fatal(err)
	}
	change(t, s, "retrain")
	now, err := s.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(ctx, now.Now); err != nil {
		t.Fatal(err)
	}
	if st := status(t, s); st.Route == nil || st.Route.Candidate != i+2 || st.Route.Share != 0.5 {
		t.Fatalf("version %d does not answer a half: %+v %+v", i+2, st.Route, st.Cells)
	}
	<-l.due
	change(t, s, "promote")
	<-l.due
	change(t, s, "promote")
	if st := status(t, s); st.Live != i+2 || st.Release.Phase != release.Succeeded {
		t.Fatalf("version %d is live, want %d", st.Live, i+2)
	}
	<-l.due
	if i%3 == 2 {
		return // this one stays
	}
	change(t, s, "rollback")
	if st := status(t, s); st.Live != before.Live || st.Release.Phase != release.RolledBack {
		t.Fatalf("version %d is live, want %d again", st.Live, before.Live)
	}
	<-l.due
}

// failure trains a version that needs a column which no request has. Given half of the
// traffic, it fails on every row, and the live version answers for it.
func (l *load) failure(t *testing.T, data []byte, cycles, i int) {
	t.Helper()
	ctx, s := t.Context(), l.server
	before := status(t, s)
	file := modelFile(t, append(byHand,
		[2]string{"trees: 20,", fmt.Sprintf("trees: %d,", 100+i)}, [2]string{"    lag168: number", "    lag168: number\n    extra: number"})...)
	if err := apply(ctx, s.Client, file, data); err != nil {
		t.Fatal(err)
	}
	change(t, s, "retrain")
	now, err := s.Clock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Advance(ctx, now.Now); err != nil {
		t.Fatal(err)
	}
	if st := status(t, s); st.Route == nil || st.Route.Candidate != cycles+i+2 || st.Route.Share != 0.5 {
		t.Fatalf("version %d does not get a half: %+v %+v", cycles+i+2, st.Route, st.Cells)
	}
	<-l.due // after that many requests some rows were the candidate's
	if n := unscored(t, s, cycles+i+2); n == 0 {
		t.Errorf("version %d was to fail, and did not", cycles+i+2)
	}
	change(t, s, "rollback")
	if st := status(t, s); st.Live != before.Live || st.Release.Phase != release.Aborted {
		t.Fatalf("version %d is live, want %d still; the release is %s", st.Live, before.Live, st.Release.Phase)
	}
}

// unscored is how many rows the server says that the version could not score.
func unscored(t *testing.T, s *server, version int) (n float64) {
	t.Helper()
	res, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	of := fmt.Sprintf("flyball_serving_version_failures_total{model=%q,role=\"candidate\",version=\"%d\"} ", bike, version)
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), of); ok {
			if n, err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// csvWith is a source file with one more column, which is 1 in every row.
func csvWith(t *testing.T, file []byte, column string) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte(",1\n"))
	raw = bytes.Replace(raw, []byte(",1\n"), []byte(","+column+"\n"), 1)
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(raw) // into memory
	_ = w.Close()
	return out.Bytes()
}

// resident is the memory that the server holds, in bytes.
func resident(t *testing.T, s *server) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		t.Skip("there is no /proc to tell the server's memory")
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(raw), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func status(t *testing.T, s *server) wire.Status {
	t.Helper()
	st, err := s.Status(t.Context(), bike)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func change(t *testing.T, s *server, what string) {
	t.Helper()
	if _, err := s.Change(t.Context(), bike, what, "a test of swaps"); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// equal compares every answer, bit for bit, with what the bundle of the version that
// gave it says of the row, and asks that each of so many versions gave some.
func (l *load) equal(t *testing.T, dir string, versions int) {
	t.Helper()
	ctx := t.Context()
	blobs, err := blob.OpenDir(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer blobs.Close()
	vs, err := l.server.Versions(ctx, bike)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]json.RawMessage, len(l.hours))
	for i, h := range l.hours {
		rows[i] = h.row(nil)
	}
	says, given := map[int32][]float64{}, map[int32]int{}
	for _, v := range vs {
		b, err := model.Open(ctx, blobs, learner.Decoders(), v.Bundle)
		if err != nil {
			t.Fatal(err)
		}
		f, err := frame.DecodeRows(rows, frame.DecodeOptions{Required: b.Inputs()})
		if v.Version > versions && err != nil {
			continue // it was made to fail
		}
		if err != nil {
			t.Fatal(err)
		}
		scores, err := b.Predict(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		says[int32(v.Version)] = scores.Values
	}
	for v, own := range says {
		if other := says[v-1]; slices.Equal(own, other) {
			t.Errorf("versions %d and %d say the same; nothing is shown", v-1, v)
		}
	}
	wrong := 0
	for _, a := range l.told {
		given[a.version]++
		want := says[a.version]
		if want == nil || math.Float64bits(a.value) != math.Float64bits(want[a.row]) {
			if wrong++; wrong <= 5 {
				t.Errorf("version %d answers %v to row %d, its bundle another", a.version, a.value, a.row)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d answers are not those of the version that gave them", wrong, len(l.told))
	}
	if len(given) != versions {
		t.Errorf("%d versions answered, want %d: %v", len(given), versions, given)
	}
}
