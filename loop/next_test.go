// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/governance/approval"
	"flyball/job"
	"flyball/monitoring"
	"flyball/serving/release"
	"flyball/unit"
)

// TestStories plays each script of testdata. A line is a moment, what happens then,
// the phase that the model is in afterwards, and what is done, or a reason in
// brackets why nothing is. The first line is the policy.
func TestStories(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { play(t, path) })
	}
}

var epoch = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

func play(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := &actor{obs: Observation{Live: 7, Applied: 1}, state: State{Phase: Steady, Applied: 1, Trained: []time.Time{epoch}}}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "policy" {
			a.policy, a.obs.Delay = policyOf(t, words[1:])
			continue
		}
		cells := strings.Split(strings.TrimSpace(line), "  ")
		var parts []string
		for _, c := range cells {
			if c = strings.TrimSpace(c); c != "" {
				parts = append(parts, c)
			}
		}
		if len(parts) != 4 {
			t.Fatalf("%s:%d: four parts, two spaces apart: when, what, phase, done", path, n)
		}
		at, err := unit.ParseDuration(parts[0])
		if err != nil {
			t.Fatalf("%s:%d: %v", path, n, err)
		}
		got := a.happens(t, parts[1], epoch.Add(at.D()))
		if string(a.state.Phase) != parts[2] || got != parts[3] && !strings.HasPrefix(parts[3], "(") || got != "" && strings.HasPrefix(parts[3], "(") {
			t.Errorf("%s:%d: %s: got %s, %q; want %s, %s", path, n, parts[1], a.state.Phase, got, parts[2], parts[3])
		}
	}
}

func policyOf(t *testing.T, words []string) (p Policy, delay time.Duration) {
	p = Policy{When: []string{BySchedule, ByDrift, ByScore}, HoldAfter: "rollback"}
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "wait":
			p.Wait, err = unit.ParseDuration(value)
		case "every":
			p.Every, err = unit.ParseDuration(value)
		case "budget":
			var n float64
			n, err = strconv.ParseFloat(value, 64)
			p.Budget = monitoring.Rate(n)
		case "hold_after":
			p.HoldAfter = value
		case "release":
			p.Release = value
		case "truth":
			var d unit.Duration
			d, err = unit.ParseDuration(value)
			delay = d.D()
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return p, delay
}

// actor is the world around Next: what it has seen, and the state it keeps.
type actor struct {
	policy Policy
	obs    Observation
	state  State
}

func (a *actor) happens(t *testing.T, what string, now time.Time) string {
	verb, rest, _ := strings.Cut(what, " ")
	switch verb {
	case "drift", "score", "bad-data":
		into := map[string]*string{"drift": &a.obs.Drift, "score": &a.obs.Score, "bad-data": &a.obs.BadData}[verb]
		if *into = rest; rest == "over" {
			*into = ""
		}
	case "nothing":
	case "trained": // trained 8 pass | trained 8 fail | trained 8 fail log_loss: harm | trained 8 pass 0.5 of 1.5, the gain and what a release is worth
		number, verdict, _ := strings.Cut(rest, " ")
		verdict, gain, compared := strings.Cut(verdict, " ")
		v, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		a.obs.Job = &job.Job{State: job.Done}
		a.obs.Outcome = &Outcome{Version: v, Pass: verdict == "pass"}
		if a.obs.Outcome.Against = gain; compared && verdict == "pass" {
			a.obs.Outcome.Gain = &Gain{Metric: "mae"}
			if _, err := fmt.Sscanf(gain, "%g of %g", &a.obs.Outcome.Gain.Value, &a.obs.Outcome.Gain.Worth); err != nil {
				t.Fatal(err)
			}
		}
	case "failed":
		a.obs.Job = &job.Job{State: job.Failed}
	case "canceled":
		a.obs.Job = &job.Job{State: job.Canceled}
	case "rolling-back": // by hand, of a version that was live already
		a.obs.Release = &release.State{Phase: release.RollingBack, Candidate: a.obs.Release.Candidate}
	case "succeeded", "rolled-back", "aborted":
		phase := map[string]release.Phase{"succeeded": release.Succeeded, "rolled-back": release.RolledBack, "aborted": release.Aborted}[verb]
		candidate := a.state.Candidate
		if a.obs.Release != nil {
			candidate = a.obs.Release.Candidate // also long after its release
		}
		a.obs.Release = &release.State{Phase: phase, Candidate: candidate, EndedAt: now}
		if verb == "succeeded" {
			a.obs.Live = a.state.Candidate
		}
	case "asked":
		a.state.Asked = &Asked{By: rest}
	case "wanted": // wanted 5 ana
		number, by, _ := strings.Cut(rest, " ")
		v, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		a.state.Wanted = &Wanted{Outcome: Outcome{Version: v, Pass: true}, Asked: Asked{By: by}}
	case "asks-leave": // the model file says risk: high
		a.obs.Asks = true
	case "approved", "overridden", "rejected", "expired", "void": // the request that waits
		a.obs.Leave = approval.Decision{State: approval.State(verb)}
	case "resumed":
		a.state.Hold, a.state.Refused = "", nil
	case "applied":
		a.obs.Applied++
	case "nothing-live":
		a.obs.Live = 0
	default:
		t.Fatalf("nobody knows what %q is", what)
	}
	next, actions := Next(a.policy, a.state, a.obs, now)
	calls := next.Refused.calls() && !a.state.Refused.calls()
	if a.state.Waits != next.Waits {
		a.obs.Leave = approval.Decision{} // on a request that is no more
	}
	a.state = next
	var out []string
	for _, act := range actions {
		if act.Ask != nil {
			out = append(out, fmt.Sprintf("ask for %d", act.Ask.Version))
			continue
		}
		if act.Release != nil {
			out = append(out, fmt.Sprintf("release %d", act.Release.Version))
			a.obs.Release = &release.State{Phase: release.Pending, Candidate: act.Release.Version}
			continue
		}
		out = append(out, "train by "+act.Train)
		a.obs.Job, a.obs.Outcome = &job.Job{State: job.Running}, nil
	}
	if next.Hold != "" && verb == "rolled-back" {
		out = append(out, "hold")
	}
	if calls {
		out = append(out, "calls a person")
	}
	return strings.Join(out, ", ")
}
