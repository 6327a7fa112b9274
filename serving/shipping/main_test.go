// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"go.uber.org/goleak"
	"gocloud.dev/blob"

	"flyball/fault"
	"flyball/ident"
	"flyball/serving/prediction"
	"flyball/serving/predictionlog"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// noon is an arbitrary moment of the tests, long ago for the bucket.
var noon = time.Date(2025, 3, 4, 12, 0, 0, 0, time.UTC)

// record makes a record of model m, asked hours after noon.
func record(n int, hours float64) prediction.Record {
	at := noon.Add(time.Duration(hours * float64(time.Hour)))
	return prediction.Record{
		ID: ident.PredictionID(fmt.Sprintf("0195%04x-0000-7000-8000-%012x", n>>16, n)), Model: "m", Version: 3, Arm: prediction.Live,
		Generation: 12, At: at, Time: at, Due: at.Add(24 * time.Hour), Key: fmt.Sprint("b-", n),
		Row: json.RawMessage(fmt.Sprintf(`{"x":%d}`, n)), Scores: []float64{0.25}, Audit: map[string]string{"gender": "f"},
	}
}

func labelOf(n int, value string) prediction.Label {
	return prediction.Label{Model: "m", Key: fmt.Sprint("b-", n), Value: value, At: noon, Received: noon.Add(time.Duration(n) * time.Second)}
}

// pointer is what the store keeps. Who set its leader away leads no more.
type pointer struct {
	mu     sync.Mutex
	key    string
	leader int
}

// by is the pointer as one leader has it.
type by struct {
	*pointer
	me int
}

func (p *pointer) Checkpoint(context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, nil
}

func (b by) SetCheckpoint(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leader != b.me {
		return fault.New(fault.Conflict, "another leads")
	}
	b.key = key
	return nil
}

// faulty is a bucket that fails as it is told: before it does what is asked, or after.
type faulty struct {
	*blob.Bucket
	fails func(op, key string) (before, after error)
}

func (f faulty) around(op, key string, do func() error) error {
	before, after := f.fails(op, key)
	if before != nil {
		return before
	}
	return errors.Join(do(), after)
}

func (f faulty) ReadAll(ctx context.Context, key string) (p []byte, err error) {
	err = f.around("read", key, func() error { p, err = f.Bucket.ReadAll(ctx, key); return err })
	return p, err
}

func (f faulty) Upload(ctx context.Context, key string, r io.Reader, opts *blob.WriterOptions) error {
	return f.around("upload", key, func() error { return f.Bucket.Upload(ctx, key, r, opts) })
}

func (f faulty) Download(ctx context.Context, key string, w io.Writer, opts *blob.ReaderOptions) error {
	return f.around("download", key, func() error { return f.Bucket.Download(ctx, key, w, opts) })
}

func (f faulty) Delete(ctx context.Context, key string) error {
	return f.around("delete", key, func() error { return f.Bucket.Delete(ctx, key) })
}

// machine is a process with a log at work, and what it needs of a bucket.
type machine struct {
	*predictionlog.Log
	t       *testing.T
	dir     string
	cancel  context.CancelFunc
	done    chan error
	shipper *Shipper
	taker   *Taker
	keeper  *Keeper
}

// start opens the log in dir. p is nil for one that only answers.
func start(t *testing.T, dir string, b Bucket, p Pointer) *machine {
	t.Helper()
	mode := predictionlog.Move
	if p != nil {
		mode = predictionlog.Copy
	}
	l, err := predictionlog.Open(dir, predictionlog.Options{Shipping: mode})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &machine{
		Log: l, t: t, dir: dir, cancel: cancel, done: make(chan error, 1), shipper: NewShipper(ShipperOptions{Log: l, Bucket: b}),
		taker:  NewTaker(TakerOptions{Log: l, Bucket: b}),
		keeper: NewKeeper(KeeperOptions{Log: l, Bucket: b, Pointer: p, Temp: t.TempDir()}),
	}
	go func() { m.done <- l.Run(ctx) }()
	<-l.Ready()
	t.Cleanup(m.stop)
	return m
}

func (m *machine) stop() {
	m.t.Helper()
	if m.done == nil {
		return
	}
	m.cancel()
	if err := errors.Join(<-m.done, m.Close()); err != nil {
		m.t.Error(err)
	}
	m.done = nil
}

func (m *machine) append(rs ...prediction.Record) {
	m.t.Helper()
	if err := m.Append(context.Background(), true, true, rs...); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) label(ls ...prediction.Label) {
	m.t.Helper()
	if _, err := m.AppendLabels(context.Background(), ls...); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) ship() {
	m.t.Helper()
	if err := m.shipper.Drain(context.Background()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) take() int {
	m.t.Helper()
	n, err := m.taker.Turn(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *machine) checkpoint() string {
	m.t.Helper()
	key, err := m.keeper.Checkpoint(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return key
}

// restore is Restore, which must not fail, and start.
func restore(t *testing.T, dir string, b Bucket, p Pointer) (*machine, bool) {
	t.Helper()
	did, err := Restore(context.Background(), RestoreOptions{Dir: dir, Bucket: b, Pointer: p})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, dir, b, p), did
}

func scan(t *testing.T, l *predictionlog.Log) []prediction.Joined {
	t.Helper()
	var out []prediction.Joined
	q := prediction.Query{Model: "m", Reasons: true, Audit: true}
	if err := l.Scan(context.Background(), q, func(j prediction.Joined) error { out = append(out, j); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func same(t *testing.T, got, want []prediction.Joined) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// objectsIn are the keys of a bucket below a prefix.
func objectsIn(t *testing.T, b Bucket, prefix string) []string {
	t.Helper()
	var out []string
	it := b.List(&blob.ListOptions{Prefix: prefix})
	for {
		x, err := it.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x.Key)
	}
}

// idsSealed are the ids in the Parquet files below dir, sorted, doubles too.
func idsSealed(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "model=*", "date=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range paths {
		rows, err := parquet.ReadFile[struct {
			ID string `parquet:"id"`
		}](p)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			out = append(out, r.ID)
		}
	}
	slices.Sort(out)
	return out
}

// startPlain opens a log that is shared with nobody.
func startPlain(t *testing.T, dir string) *machine {
	t.Helper()
	l, err := predictionlog.Open(dir, predictionlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &machine{Log: l, t: t, dir: dir, cancel: cancel, done: make(chan error, 1)}
	go func() { m.done <- l.Run(ctx) }()
	<-l.Ready()
	t.Cleanup(m.stop)
	return m
}
