// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"flyball/api/wire"
	"flyball/blob"
	"flyball/client"
	"flyball/job"
	"flyball/model/registry"
	"flyball/model/xgboost"
)

// prints is a command that prints a line each 100 ms, so many, and then leaves a model.
const prints = `i=1
while [ $i -le %d ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done
cp ready.json "$FLYBALL_OUT/model.json"
`

// applyPrinting applies the example's model with such a command, and has it train.
func applyPrinting(t *testing.T, s *server, past []hour, lines int) (trained chan error) {
	t.Helper()
	return applyScript(t, s, past, fmt.Sprintf(prints, lines))
}

// applyScript is applyPrinting for any script of a shell. ready.json beside it is a model.
func applyScript(t *testing.T, s *server, past []hour, script string) (trained chan error) {
	t.Helper()
	tree := xgboost.Tree{}
	tree.Leaf(tree.Add(-1), 0.5, 1)
	model, err := xgboost.Encode(xgboost.Model{Objective: "reg:squarederror", Features: inputs, Base: 100, Outputs: 1, Trees: []xgboost.Tree{tree}})
	if err != nil {
		t.Fatal(err)
	}
	a := wire.ApplyRequest{
		Name: "model.yaml", Data: map[string]registry.DataFile{}, Code: map[string]registry.DataFile{},
		File: modelFile(t, [2]string{"  with: builtin/gbdt\n  settings: {trees: 200, depth: 6, learning_rate: 0.1}\n", "  with: command\n  command: [sh, train.sh]\n"}),
	}
	for _, f := range []struct {
		to   map[string]registry.DataFile
		name string
		raw  []byte
	}{{a.Data, source, csvFile(past)}, {a.Code, "train.sh", []byte(script)}, {a.Code, "ready.json", model}} {
		up, err := s.Upload(t.Context(), bytes.NewReader(f.raw))
		if err != nil {
			t.Fatal(err)
		}
		f.to[f.name] = registry.DataFile{Digest: blob.Digest(up.Digest), Size: up.Size}
	}
	if _, err := s.Apply(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	now, err := s.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trained = make(chan error, 1)
	go func() { trained <- s.Advance(context.WithoutCancel(t.Context()), now.Now) }()
	return trained
}

// commandRun waits for the run of the model's command that goes on.
func commandRun(t *testing.T, s *server) string {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := s.Runs(t.Context(), client.RunsAsked{Experiment: bike, Against: "none"})
		if err == nil && len(got.Runs) > 0 {
			return got.Runs[0].ID
		}
	}
	t.Fatalf("no run shows: %s", s.said())
	return ""
}

func TestALogIsFollowedUntilItsCommandHasEndedAndIsKept(t *testing.T) {
	past, _ := history(t)
	s := start(t, t.TempDir(), "--executor", "local")
	trained := applyPrinting(t, s, past, 15)
	id := commandRun(t, s)
	live := run(t, s.url, "", "runs", "logs", id, "-f")
	if live.code != 0 || !strings.HasPrefix(live.out, "line 1\nline 2\n") || !strings.HasSuffix(live.out, "line 15\n") {
		t.Errorf("followed: code %d, %q, %s", live.code, live.out, live.stderr)
	}
	if err := <-trained; err != nil {
		t.Fatal(err)
	}
	after := run(t, s.url, "", "runs", "logs", id)
	if after.code != 0 || !strings.HasPrefix(after.out, live.out) {
		t.Errorf("kept: code %d, %q, %s", after.code, after.out, after.stderr)
	}
}

func TestACanceledCommandEndsWithItsTrainingAndAFollowerThatIsInterruptedEndsCleanly(t *testing.T) {
	past, _ := history(t)
	s := start(t, t.TempDir(), "--executor", "local")
	trained := applyPrinting(t, s, past, 6000)
	id := commandRun(t, s)

	follower := exec.CommandContext(t.Context(), binary, "runs", "logs", id, "-f")
	follower.Env = append(os.Environ(), "FLYBALL_TOKEN=", "FLYBALL_URL="+s.url)
	out, err := follower.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follower.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 7)
	if _, err := out.Read(first); err != nil || string(first) != "line 1\n" {
		t.Errorf("followed %q, %v", first, err)
	}
	_ = follower.Process.Signal(os.Interrupt)
	_ = follower.Wait() // its code says it
	if code := follower.ProcessState.ExitCode(); code != 130 {
		t.Errorf("the follower ended with %d", code)
	}

	if got := run(t, s.url, "", "runs", "cancel", id, "--why", "a test"); got.code != 0 {
		t.Fatalf("cancel: code %d, %s", got.code, got.stderr)
	}
	select {
	case err := <-trained:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the training goes on")
	}
	jobs, err := s.Jobs(t.Context(), bike)
	if err != nil || len(jobs) != 1 || jobs[0].State != job.Canceled {
		t.Errorf("jobs: %+v, %v", jobs, err)
	}
	if again := run(t, s.url, "", "runs", "cancel", id); again.code != 6 {
		t.Errorf("a second cancel: code %d, %s", again.code, again.stderr)
	}
	if kept := run(t, s.url, "", "runs", "logs", id); kept.code != 0 || !strings.HasPrefix(kept.out, "line 1\n") {
		t.Errorf("kept: code %d, %q, %s", kept.code, kept.out, kept.stderr)
	}
}
