// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/client"
	"flyball/fault"
	"flyball/governance/access"
)

// byItself is a loop whose releases go through all their phases within seconds.
var byItself = append(append([][2]string{}, byHand[:4]...), [][2]string{
	{"shadow: {for: 5d, at_least: 100}", "shadow: {for: 1s, at_least: 1}"},
	{"canary: [{share: 25%, for: 1d}, {share: 100%}]", "canary: [{share: 50%, for: 2s}, {share: 100%}]"},
	{"bake: {for: 7d}", "bake: {for: 1s}"},
	{"back_if: {errors: {above: 1%}, latency_p99: {above: 50ms}, loss: worse}", "back_if: {errors: {above: 1%}}"},
	{"margin: 1.5", "margin: 50"},
	{"hold_after: rollback", "hold_after: never"},
}...)

// reply is one answer as a caller saw it.
type reply struct {
	sent, received time.Time
	by             string // the process
	generation     int64
	rows           []wire.Prediction
}

// callers ask all processes of a fleet for predictions, and bring labels.
type callers struct {
	f     *fleet
	hours []hour

	mu       sync.Mutex
	replies  []reply
	labelled map[string]string
	failed   []string
}

// ask asks one process after another, until one answers. It fails only where none does,
// though one that serves was there: it has answered before, and was neither killed nor
// stopped from two seconds before the first try until after the last. Cuts are no excuse:
// nobody is cut off from the callers.
func (c *callers) ask(ctx context.Context, r *rand.Rand) {
	h := c.hours[r.IntN(len(c.hours))]
	nodes := c.f.all()
	began := time.Now()
	var errs []error
	for i, first := 0, r.IntN(len(nodes)); i < len(nodes); i++ {
		n := nodes[(first+i)%len(nodes)]
		sent := time.Now()
		got, err := n.Predict(ctx, bike, []json.RawMessage{h.row(nil), c.hours[r.IntN(len(c.hours))].row(nil)})
		if err == nil {
			n.answers()
			c.mu.Lock()
			c.replies = append(c.replies, reply{sent, time.Now(), n.name, got.Generation, got.Predictions})
			c.mu.Unlock()
			return
		}
		errs = append(errs, fmt.Errorf("%s: %w", n.name, err))
	}
	for _, n := range c.f.serves {
		if up := n.since(); ctx.Err() == nil && !up.IsZero() && up.Before(began.Add(-2*time.Second)) {
			c.mu.Lock()
			c.failed = append(c.failed, fmt.Sprintf("%s to %s, though %s was there: %v", began.Format(time.TimeOnly), time.Now().Format(time.TimeOnly), n.name, errors.Join(errs...)))
			c.mu.Unlock()
			return
		}
	}
}

// tell brings a label to some process; what was acknowledged is kept in mind.
func (c *callers) tell(ctx context.Context, r *rand.Rand) {
	h := c.hours[r.IntN(len(c.hours))]
	nodes := c.f.all()
	if _, err := nodes[r.IntN(len(nodes))].Label(ctx, bike, []wire.Label{h.label()}); err == nil {
		c.mu.Lock()
		c.labelled[h.key()] = string(h.label().Value)
		c.mu.Unlock()
	}
}

// run asks until ctx is done.
func (c *callers) run(ctx context.Context, seed uint64, many int, pace time.Duration) {
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			tick := time.NewTicker(pace)
			defer tick.Stop()
			for ctx.Err() == nil {
				c.ask(ctx, r)
				if r.IntN(10) == 0 {
					c.tell(ctx, r)
				}
				<-tick.C
			}
		})
	}
	all.Wait()
}

// operate has a version trained, again and again, and meddles with its release. What
// fails is tried anew: there are faults about.
func operate(ctx context.Context, t *testing.T, f *fleet, seed uint64, past []hour) {
	r := rand.New(rand.NewPCG(seed, 100))
	for i := 0; ctx.Err() == nil; i++ {
		c := f.controls[r.IntN(len(f.controls))].As("ana", f.admin)
		file := modelFile(t, append(byItself[1:len(byItself):len(byItself)], [2]string{"trees: 200, depth: 6, learning_rate: 0.1", fmt.Sprintf("trees: %d, depth: 4, learning_rate: 0.2", 21+i)})...)
		if apply(ctx, c, file, csvFile(past)) != nil {
			pause(ctx, 300*time.Millisecond)
			continue
		}
		_, _ = c.Change(ctx, bike, "retrain", "a test of faults")
		for range 4 {
			pause(ctx, time.Duration(500+r.IntN(2000))*time.Millisecond)
			if what := []string{"promote", "rollback", ""}[r.IntN(3)]; what != "" {
				_, _ = c.Change(ctx, bike, what, "a test of faults") // refused where there is nothing to do
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// open makes the first users, starts all and takes a first version live.
func (f *fleet) open(past []hour, file string) {
	t := f.t
	t.Helper()
	first := f.controls[0]
	if f.net != nil {
		f.admin = "correct horse battery"
		got := runIn(t, patience, append([]string{"FLYBALL_PASSWORD=" + f.admin, "FLYBALL_URL=", "FLYBALL_TOKEN=", "FLYBALL_DATABASE=" + f.dsn}, "XDG_CONFIG_HOME="+t.TempDir()), "",
			"users", "add", "ana", "--role", "admin", "--role", "ml-engineer", "--data", first.dir)
		if got.code != 0 {
			t.Fatalf("the first user: %s", got.stderr)
		}
	}
	f.start(first)
	admin := first.Client
	if f.admin != "" {
		admin = first.As("ana", f.admin)
	}
	f.until("nobody leads", patience, func(ctx context.Context) error { _, err := admin.Versions(ctx, "none"); return unlessKnown(err) })
	if f.admin != "" {
		f.programs(admin)
	}
	for _, n := range f.all() {
		if n != first {
			f.start(n)
		}
	}
	if err := apply(t.Context(), admin, file, csvFile(past)); err != nil {
		t.Fatal(err)
	}
	f.until("no version is live", patience, func(ctx context.Context) error {
		st, err := admin.Status(ctx, bike)
		if err == nil && st.Live == 0 {
			err = fmt.Errorf("status: %v", st.Cells)
		}
		return err
	})
	_, coming := history(t)
	for _, n := range f.all() {
		f.until(n.name+" does not answer", patience, func(ctx context.Context) error {
			_, err := n.Predict(ctx, bike, []json.RawMessage{coming[0].row(nil)})
			return err
		})
		n.answers()
	}
}

// unlessKnown is an error that says that nobody answered.
func unlessKnown(err error) error {
	if client.Unreachable(err) || fault.Is(err, fault.Unavailable) {
		return err
	}
	return nil
}

// programs makes those who ask: the replicas, and the one that the test is.
func (f *fleet) programs(admin *client.Client) {
	t := f.t
	t.Helper()
	for name, role := range map[string]string{"fleet": "replica", "shop": "app"} {
		if _, err := admin.AddUser(t.Context(), name, wire.User{Grants: []access.Grant{{Role: role}}}); err != nil {
			t.Fatal(err)
		}
		token, err := admin.AddToken(t.Context(), wire.Token{User: name})
		if err != nil {
			t.Fatal(err)
		}
		if name == "shop" {
			f.token = token.Secret
			continue
		}
		for _, n := range f.serves {
			n.env = append(n.env, "FLYBALL_TOKEN="+token.Secret)
		}
	}
	f.controls[0].Client = client.New("http://"+f.controls[0].at, f.token, quickly())
}
