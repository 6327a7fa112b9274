// SPDX-License-Identifier: Apache-2.0

package replica_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"flyball/blob"
	"flyball/data/dataset"
	"flyball/data/frame"
	"flyball/data/pipeline"
	"flyball/fault"
	"flyball/model"
	"flyball/model/constant"
	"flyball/serving"
	"flyball/serving/prediction"
	"flyball/serving/release"
	"flyball/serving/replica"
	"flyball/unit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// control is whoever decides, in memory. Zero of lease: it grants ten seconds.
type control struct {
	mu      sync.Mutex
	desired replica.Desired
	newer   chan struct{}
	away    bool
	reports []replica.Report
	left    int
	asked   int
	behind  time.Duration // of the clock here
}

func (c *control) say(d replica.Desired) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.desired = d
	if c.newer != nil {
		close(c.newer)
	}
	c.newer = make(chan struct{})
}

func (c *control) cut(away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = away
}

var errAway = errors.New("no route to host")

func (c *control) Desired(ctx context.Context, have int64) (replica.Desired, error) {
	for {
		c.mu.Lock()
		d, newer, away := c.desired, c.newer, c.away
		c.asked++
		c.mu.Unlock()
		switch {
		case away:
			return d, errAway
		case d.Version != have:
			return d, nil
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(10 * time.Second):
			return d, nil
		}
	}
}

func (c *control) Report(_ context.Context, r replica.Report) (replica.Grant, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return replica.Grant{}, errAway
	}
	c.reports = append(c.reports, r)
	return replica.Grant{Lease: 10 * time.Second, Now: time.Now().Add(c.behind), Version: c.desired.Version}, nil
}

func (c *control) Leave(context.Context, string, string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left++
	return nil
}

func (c *control) last() replica.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reports[len(c.reports)-1]
}

// nothing is a log that keeps nothing.
type nothing struct{}

func (nothing) Append(context.Context, bool, bool, ...prediction.Record) error { return nil }

func (nothing) AppendLabels(context.Context, ...prediction.Label) (int, error) { return 0, nil }

func (nothing) Scan(context.Context, prediction.Query, func(prediction.Joined) error) error {
	return nil
}

// process is a replica in memory.
type process struct {
	*control
	*replica.Agent
	serving *serving.Server
}

func begin(t *testing.T, c *control, s *shelf, dir string) *process {
	p := &process{control: c}
	p.serving = serving.New(serving.Options{Log: nothing{}, Now: time.Now, Alone: func() bool { return p.Alone() }})
	p.Agent = replica.NewAgent(replica.Options{
		Control: c, Keeper: &replica.Keeper{Serving: p.serving, Open: s.open},
		Dir: dir, Name: "r1", Process: "r1/a", Logger: slog.New(slog.DiscardHandler),
		Counts: p.serving.Hours,
		Told: func(d replica.Desired) error {
			if len(d.Tokens) > 0 && len(d.Users) == 0 {
				return fault.New(fault.Invalid, "tokens of nobody")
			}
			return nil
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := p.serving.Close(); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return p
}

// shelf is where versions lie, by digest.
type shelf struct {
	mu   sync.Mutex
	held map[blob.Digest]*model.Bundle
}

func (s *shelf) open(_ context.Context, d blob.Digest) (*model.Bundle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.held[d]; b != nil {
		return b, nil
	}
	return nil, fault.New(fault.NotFound, "there is no blob %s", d)
}

// bring adds a version that always answers v, and is where it lies.
func (s *shelf) bring(t *testing.T, v float64) blob.Digest {
	t.Helper()
	rows := frame.WithRows(2, frame.NumberColumn("x", []float64{1, 2}))
	p, err := pipeline.Fit(t.Context(), pipeline.Spec{Inputs: []frame.Field{{Name: "x", Kind: frame.Number}}}, rows, pipeline.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	x, _, err := p.Transform(rows)
	if err != nil {
		t.Fatal(err)
	}
	file, err := constant.Fit(x, []float64{v, v}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	decoders := model.Decoders{Estimators: map[string]func([]byte) (model.Estimator, error){"constant.json": constant.Decode}}
	b, err := model.Make(t.Context(), blob.Memory(), decoders, model.Parts{Model: "m", Task: dataset.Task{Kind: dataset.Regression}, Pipeline: p, Estimator: file, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[b.Digest] = b
	return b.Digest
}

// stocked has versions 1 and 2, which answer 1 and 2.
func stocked(t *testing.T) (*shelf, map[int]blob.Digest) {
	t.Helper()
	s := &shelf{held: map[blob.Digest]*model.Bundle{}}
	return s, map[int]blob.Digest{1: s.bring(t, 1), 2: s.bring(t, 2)}
}

// route is a model as it is to be served.
func route(generation int64, live, candidate int, share float64, bundles map[int]blob.Digest) []replica.Model {
	return []replica.Model{{
		Name: "m", File: 1, Bundles: bundles,
		Task:  dataset.Task{Column: "y", Kind: dataset.Regression, ID: "k", Truth: dataset.Truth{Within: unit.Duration(time.Hour)}},
		Route: release.Route{Model: "m", Generation: generation, Live: live, Candidate: candidate, Share: share, Both: candidate != 0},
	}}
}

// answers is which version answers; 0: none does.
func (p *process) answers(t *testing.T) int {
	t.Helper()
	a, err := p.serving.Predict(t.Context(), serving.Request{Model: "m", Rows: []json.RawMessage{[]byte(`{"k":"a","x":1}`)}})
	if fault.Is(err, fault.NotFound) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return a.Version
}

func TestAReplicaServesWhatItIsToldAndNothingOlder(t *testing.T) {
	shelf, versions := stocked(t)
	synctest.Test(t, func(t *testing.T) {
		c := &control{}
		p := begin(t, c, shelf, t.TempDir())
		if err := p.Ready(); !fault.Is(err, fault.Unavailable) || p.Knows() {
			t.Errorf("before it was told: got %v", err)
		}
		for _, d := range []struct {
			what    string
			desired replica.Desired
			answers int
			version int64 // that it reports
		}{
			{"the live version", replica.Desired{Version: 1, Fence: 1, Models: route(1, 1, 0, 0, versions)}, 1, 1},
			{"a candidate with all traffic", replica.Desired{Version: 2, Fence: 1, Models: route(2, 1, 2, 1, versions)}, 2, 2},
			{"an older version of what is desired", replica.Desired{Version: 1, Fence: 1, Models: route(1, 1, 0, 0, versions)}, 2, 2},
			{"what a leader says that another followed", replica.Desired{Version: 9, Fence: 0, Models: route(9, 1, 0, 0, versions)}, 2, 2},
			{"what says nothing about who may ask", replica.Desired{Version: 10, Fence: 1, Tokens: make([]replica.Credential, 1), Models: route(10, 1, 0, 0, versions)}, 2, 2},
			{"the way back, from the next leader", replica.Desired{Version: 11, Fence: 2, Models: route(11, 1, 0, 0, versions)}, 1, 11},
		} {
			c.say(d.desired)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got := p.answers(t); got != d.answers {
				t.Errorf("%s: version %d answers, want %d", d.what, got, d.answers)
			}
			if r := c.last(); r.Version != d.version || len(r.Models) != 1 {
				t.Errorf("%s: it reports %+v", d.what, r)
			}
		}
		if r := c.last(); r.Models[0] != (replica.Held{Model: "m", Generation: 11}) || len(r.Hours) == 0 || r.Process != "r1/a" {
			t.Errorf("got the report %+v", r)
		}
	})
}

func TestACutOffReplicaAnswersByTheLiveVersionOnceItsLeaseIsOver(t *testing.T) {
	shelf, versions := stocked(t)
	synctest.Test(t, func(t *testing.T) {
		c := &control{}
		c.say(replica.Desired{Version: 1, Fence: 1, Models: route(1, 1, 2, 1, versions)})
		p := begin(t, c, shelf, t.TempDir())
		if got := p.answers(t); got != 2 || p.Ready() != nil {
			t.Errorf("with a lease: version %d answers; %v", got, p.Ready())
		}
		c.cut(true)
		time.Sleep(6 * time.Second)
		if got := p.answers(t); got != 2 {
			t.Errorf("the lease of ten seconds goes on: version %d answers", got)
		}
		time.Sleep(4 * time.Second) // the last report was just before the cut
		if got := p.answers(t); got != 1 || p.Ready() != nil {
			t.Errorf("without a lease: version %d answers; %v", got, p.Ready())
		}
		c.cut(false)
		time.Sleep(5 * time.Second)
		if got := p.answers(t); got != 2 {
			t.Errorf("with a new lease: version %d answers", got)
		}
	})
}

func TestAReplicaGoesOnFromItsDiskWhileNobodyTellsItAnything(t *testing.T) {
	shelf, versions := stocked(t)
	synctest.Test(t, func(t *testing.T) {
		c, dir := &control{}, t.TempDir()
		c.say(replica.Desired{Version: 4, Fence: 2, Models: route(3, 1, 2, 1, versions)})
		begin(t, c, shelf, dir)
		away := &control{away: true}
		p := begin(t, away, shelf, dir)
		if got := p.answers(t); got != 1 || p.Ready() != nil {
			t.Errorf("version %d answers; %v", got, p.Ready())
		}
		away.say(replica.Desired{Version: 3, Fence: 2, Models: route(2, 2, 0, 0, versions)})
		away.cut(false)
		time.Sleep(5 * time.Second)
		if got := p.Standing().Version; got != 4 {
			t.Errorf("an older one was taken after a restart: %d", got)
		}
		if info, err := os.Stat(filepath.Join(dir, "desired.json")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("got %v, %v", info, err) // it tells who may ask
		}
	})
}

func TestAFileThatIsDamagedIsAsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "desired.json"), []byte(`{"version": 4, "mod`), 0o600); err != nil {
			t.Fatal(err)
		}
		p := begin(t, &control{away: true}, &shelf{}, dir)
		if p.Knows() {
			t.Error("it knows what nobody said")
		}
	})
}

func TestWhatCannotBeLoadedIsToldAndTriedAgain(t *testing.T) {
	shelf, versions := stocked(t)
	two := shelf.held[versions[2]]
	delete(shelf.held, versions[2])
	synctest.Test(t, func(t *testing.T) {
		c := &control{}
		c.say(replica.Desired{Version: 1, Models: route(1, 1, 0, 0, versions)})
		p := begin(t, c, shelf, t.TempDir())
		c.say(replica.Desired{Version: 2, Models: route(2, 1, 2, 0, versions)})
		time.Sleep(3 * time.Second)
		if r := c.last(); r.Models[0].Candidate != 0 || !strings.Contains(r.Models[0].Failed, "no blob") || r.Models[0].Generation != 2 {
			t.Errorf("a candidate that is not there: got %+v", r.Models)
		}
		c.say(replica.Desired{Version: 3, Models: route(3, 2, 0, 0, versions)})
		time.Sleep(3 * time.Second)
		if got := p.answers(t); got != 1 || p.Ready() == nil {
			t.Errorf("a live version that is not there: version %d answers; %v", got, p.Ready())
		}
		if r := c.last(); r.Models[0].Generation != 2 {
			t.Errorf("what it does not serve is not acknowledged: got %+v", r.Models)
		}
		shelf.mu.Lock()
		shelf.held[versions[2]] = two
		shelf.mu.Unlock()
		time.Sleep(5 * time.Second)
		if got := p.answers(t); got != 2 || p.Ready() != nil {
			t.Errorf("once it is there: version %d answers; %v", got, p.Ready())
		}
	})
}

func TestAReplicaKnowsHowWrongItsClockIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &control{behind: 5 * time.Minute}
		p := begin(t, c, &shelf{}, t.TempDir())
		if got := p.Apart(); got != 5*time.Minute {
			t.Errorf("got %s", got)
		}
	})
}

func TestABlobThatWasReadOnceIsReadFromTheFolder(t *testing.T) {
	far := blob.Memory()
	folder, err := blob.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := far.Put(t.Context(), strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	near := blob.Near{Store: far, Folder: folder}
	for _, where := range []string{"from the bucket", "from the folder"} {
		r, err := near.Open(t.Context(), d)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if got, err := io.ReadAll(r); string(got) != "abc" || err != nil {
			t.Errorf("%s: got %q, %v", where, got, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := far.Delete(t.Context(), d, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := near.Open(t.Context(), blob.Sum(nil)); !fault.Is(err, fault.NotFound) {
		t.Errorf("got %v", err)
	}
}
