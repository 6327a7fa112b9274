// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/client"
	"flyball/fault"
	"flyball/job"
)

// trainer brings new data in, round after round, and has a version trained on it, while
// the server is killed at a random moment of each round.
type trainer struct {
	victim
	file   string
	past   []hour
	random *rand.Rand
	usual  time.Duration // of a round
}

func TestATrainingThatIsCutOffGoesOnAndNothingIsHalfDoneOrTwice(t *testing.T) {
	everywhere(t, cutOff)
}

// cutOff kills the servers of a trainer.
func cutOff(t *testing.T, open func() home) {
	rounds := sized(5, 100)
	past, coming := history(t)
	changes := append([][2]string{{"  limits: {time: 5m", "  search: {learning_rate: [0.1, 0.2], depth: [3, 4]}\n  trials: 6\n  limits: {time: 5m"}}, byHand...)
	r := &trainer{
		victim: victim{t: t, at: open()}, file: modelFile(t, changes...), past: past[len(past)-(120*24):], random: rand.New(rand.NewPCG(7, 11)),
	}
	r.launch()
	defer func() { r.server.stop() }()
	for round := range rounds + 1 {
		began := time.Now()
		if round > 0 && r.armed == nil { // the first measures how long a round takes
			r.arm(time.Duration(r.random.Float64() * float64(r.usual)))
		}
		r.round(round, coming[0].at.Add(time.Duration(round)*time.Hour))
		if round == 0 {
			r.usual = time.Since(began)
		}
	}
	if r.armed != nil { // the rounds ended before it
		r.rise()
	}
	// The last kill may have come between a version and the end of its job.
	r.try("settle", func(ctx context.Context) error {
		return r.server.Advance(ctx, coming[0].at.Add(time.Duration(rounds+1)*time.Hour))
	})
	t.Logf("%d rounds of %v, %d kills", rounds, r.usual, r.kills)
	if r.kills < rounds/2 {
		t.Errorf("only %d of %d kills struck", r.kills, rounds)
	}
	r.runs(rounds + 1)
	if _, err := r.server.VerifyAudit(t.Context()); err != nil {
		t.Errorf("the audit chain does not hold: %v", err)
	}
	r.server.stop()
	r.blobs()
}

// try does something until it is acknowledged; only a kill may come between.
func (r *trainer) try(what string, do func(ctx context.Context) error) {
	r.t.Helper()
	for {
		err := do(r.t.Context())
		if err == nil {
			return
		}
		if !r.struck.Load() {
			r.t.Fatalf("%s: %v\n%s", what, err, r.server.said())
		}
		r.rise()
	}
}

// round brings the data of a round in and has one version made of it.
func (r *trainer) round(n int, now time.Time) {
	r.t.Helper()
	data := csvFile(r.past[n : n+100*24])
	r.try("apply", func(ctx context.Context) error { return apply(ctx, r.server.Client, r.file, data) })
	for {
		made := 0
		r.try("train", func(ctx context.Context) error {
			vs, err := r.server.Versions(ctx, bike)
			if made = len(vs); err != nil || made > n {
				return err
			}
			_, err = r.server.Change(ctx, bike, "retrain", "a test")
			if err != nil && !fault.Is(err, fault.Conflict) { // one is under way: the kill came after it had begun
				return err
			}
			if client.Unreachable(err) {
				return err
			}
			return r.server.Advance(ctx, now)
		})
		switch {
		case made == n+1:
			return
		case made > n+1:
			r.t.Fatalf("round %d: %d versions", n, made)
		}
	}
}

// runs checks that each version left one run, and one for each trial.
func (r *trainer) runs(versions int) {
	t := r.t
	t.Helper()
	vs, err := r.server.Versions(t.Context(), bike)
	if err != nil || len(vs) != versions {
		t.Fatalf("got %d versions, %v; want %d", len(vs), err, versions)
	}
	seen := map[int]bool{}
	for _, v := range vs {
		if seen[v.Version] || v.Version > versions {
			t.Errorf("version %d of %d", v.Version, versions)
		}
		seen[v.Version] = true
	}
	jobs, err := r.server.Jobs(t.Context(), bike)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if j.State != job.Done {
			t.Errorf("the job %s is %s: %s", j.Key, j.State, j.Error)
		}
	}
	const trials = 5 // the settings as they stand, and two by two
	names := map[string]int{}
	ask := client.RunsAsked{Experiment: bike, Against: "none", MaxResults: 1000}
	for {
		got, err := r.server.Runs(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range got.Runs {
			names[run.Name]++
		}
		if ask.PageToken = got.Next; ask.PageToken == "" {
			break
		}
	}
	for v := 1; v <= versions; v++ {
		if n := names[fmt.Sprintf("v%d", v)]; n != 1 {
			t.Errorf("version %d has %d runs", v, n)
		}
		for k := range trials {
			if n := names[fmt.Sprintf("v%d trial %d", v, k)]; n != 1 {
				t.Errorf("version %d has %d runs of trial %d", v, n, k)
			}
		}
	}
}

// blobs checks that every blob is whole: its bytes have the digest of its name.
func (r *trainer) blobs() {
	r.t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(r.at.blobs, "sha256"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); !strings.HasSuffix(d.Name(), got) {
			r.t.Errorf("the blob %s has the bytes of %s", d.Name(), got)
		}
		n++
		return nil
	})
	if err != nil || n == 0 {
		r.t.Errorf("%d blobs, %v", n, err)
	}
}
