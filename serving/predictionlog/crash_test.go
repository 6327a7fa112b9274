// SPDX-License-Identifier: Apache-2.0

package predictionlog

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/ident"
	"flyball/serving/prediction"
)

// child appends durable records and labels until it is killed, printing each when it
// is acknowledged, while it seals again and again.
func child(dir string) error {
	l, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	go func() { _ = l.Run(ctx) }()
	<-l.Ready()
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		_, _ = os.Stdout.WriteString(fmt.Sprintf(format, args...))
	}
	fail := make(chan error, 8)
	for w := range 3 {
		go func() {
			for i := 0; ; i++ {
				r := record(i, rand.Float64()*72)
				r.ID = ident.NewPredictionID(time.Now())
				r.Key = fmt.Sprint(w, "-", r.ID)
				r.Audit = map[string]string{"gender": "f"}
				if err := l.Append(ctx, true, i%2 == 0, r); err != nil {
					fail <- err
					return
				}
				say("p %s\n", r.ID)
				x := keyed(r.Key, strconv.Itoa(i), float64(i))
				if _, err := l.AppendLabels(ctx, x); err != nil {
					fail <- err
					return
				}
				say("l %s %d\n", r.ID, i)
			}
		}()
	}
	go func() {
		for {
			if _, err := l.Seal(ctx, noon.AddDate(0, 0, 2), 0); err != nil {
				fail <- err
				return
			}
		}
	}()
	return <-fail
}

// long reports whether the long tests were asked for.
func long() bool { return os.Getenv("FLYBALL_LONG") == "1" }

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	times := 20
	if long() {
		times = 200
	}
	dir := t.TempDir()
	acked := map[string]string{} // id: label, empty when none was acknowledged
	for i := range times {
		killChild(t, dir, i%2 == 0, acked)
	}
	l := start(t, dir, Options{})
	verifyAcked(t, l, acked)
	if l.seal() == 0 {
		t.Error("nothing was left to seal; the child does not leave staged rows")
	}
	verifyAcked(t, l, acked)
}

// killChild runs a child and notes what it acknowledged, until it is killed: after a
// random while from its start, or after a random number of acknowledgements, so that
// a slow machine tells as much as a fast one.
func killChild(t *testing.T, dir string, fromStart bool, acked map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FLYBALL_TEST_CHILD="+dir)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 24 + rand.IntN(100)
	if fromStart {
		enough = -1
		kill := time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
	}
	lines := bufio.NewScanner(out)
	for n := 1; lines.Scan(); n++ {
		if n == enough {
			_ = cmd.Process.Kill() // what it still says was acknowledged too
		}
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 2 && f[0] == "p":
			acked[f[1]] = ""
		case len(f) == 3 && f[0] == "l":
			acked[f[1]] = f[2]
		}
	}
	if err := cmd.Wait(); err == nil || complaint.Len() > 0 {
		t.Fatalf("the child ended by itself: %v %s", err, complaint.String())
	}
}

func verifyAcked(t *testing.T, l *atWork, acked map[string]string) {
	t.Helper()
	if len(acked) < 100 {
		t.Errorf("only %d rows were acknowledged; the test tells nothing", len(acked))
	}
	seen := map[ident.PredictionID]*prediction.Label{}
	for _, j := range scanAll(t, l.Log, prediction.Query{Model: "m", Audit: true}) {
		if j.Audit["gender"] != "f" {
			t.Errorf("%s has lost its audit", j.ID)
		}
		if _, twice := seen[j.ID]; twice {
			t.Errorf("%s is there twice", j.ID)
		}
		seen[j.ID] = j.Label
	}
	lost, unlabelled := 0, 0
	for id, value := range acked {
		label, ok := seen[ident.PredictionID(id)]
		if !ok {
			lost++
		} else if value != "" && (label == nil || label.Value != value) {
			unlabelled++
		}
	}
	if lost+unlabelled > 0 {
		t.Errorf("of %d acknowledged, %d predictions and %d labels are lost", len(acked), lost, unlabelled)
	}
	files := doubled(t, l.dir)
	if files > 0 {
		t.Errorf("%d ids are in two Parquet files", files)
	}
}

// doubled counts the ids that a reader of all Parquet files meets twice.
func doubled(t *testing.T, dir string) int {
	t.Helper()
	seen := map[string]bool{}
	n := 0
	for _, path := range sealedFiles(t, dir) {
		_, err := readSealed(path, "m", noSum, func(x place) bool {
			if seen[x.ID] {
				n++
			}
			seen[x.ID] = true
			return false
		}, 0, false)
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}
