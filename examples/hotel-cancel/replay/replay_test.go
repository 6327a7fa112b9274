// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"flyball/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prepared is the source of every thin-th booking, in a folder of its own.
func prepared(t *testing.T, thin string) (source string) {
	t.Helper()
	source = filepath.Join(t.TempDir(), "bookings.csv.gz")
	if err := command(context.Background(), []string{"prepare", "--dir", "..", "--source", source, "--thin", thin}, t.Output()); err != nil {
		t.Fatal(err)
	}
	return source
}

// TestTheModelGoesThroughTheLoop replays January of half the bookings: version 1 beats
// its baseline, is retrained by schedule, and the new version passes and stays out, since
// it was judged on the days that version 1 was held out on, too.
func TestTheModelGoesThroughTheLoop(t *testing.T) {
	source := prepared(t, "2")
	var out bytes.Buffer
	if err := command(context.Background(), []string{"run", "--dir", "..", "--source", source, "--thin", "2", "--days", "30"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{
		"01 Jan ✓ 9592 rows trained, 1169 held out; cause: first",
		"01 Jan ✓ v1 passes: ",
		"01 Jan ✓ v1 is live",
		"29 Jan ✓ 10761 rows trained, 1217 held out; cause: schedule",
		"29 Jan − v2 passes and stays out: it was made of the rows that v1 was made of, and answers as it does; rows that neither has seen must come first",
		"v1 made 2016-01-01 (first), gate pass, release succeeded",
		"v2 made 2016-01-29 (schedule), gate pass, release none",
		"3768 rows asked, 0 not answered; the audit chain holds: ",
		"gain 0.0000 (0.0000…0.0000)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the transcript does not tell %q:\n%s", want, out.String())
		}
	}
}

func TestWhatIsMissingIsTold(t *testing.T) {
	nowhere := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		kind fault.Kind
		want string
	}{
		{"no arguments", nil, fault.Invalid, "usage:"},
		{"an unknown command", []string{"walk"}, fault.Invalid, "usage:"},
		{"every row but none", []string{"run", "--thin", "0"}, fault.Invalid, "usage:"},
		{"a folder without the history", []string{"prepare", "--dir", nowhere}, fault.NotFound, "the history cannot be read"},
		{"a folder without a model file", []string{"run", "--dir", nowhere}, fault.NotFound, "the model file cannot be read"},
		{"no source", []string{"run", "--dir", "..", "--source", filepath.Join(nowhere, "none.csv.gz")}, fault.NotFound, "make it with prepare"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := command(context.Background(), c.args, t.Output())
			if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a %s fault with %q", err, c.kind, c.want)
			}
		})
	}
	t.Run("no server at the address", func(t *testing.T) {
		err := command(context.Background(), []string{"run", "--dir", "..", "--source", prepared(t, "50"), "--thin", "50", "--days", "1", "--url", "http://127.0.0.1:1"}, t.Output())
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "no server answers") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTheSameHistoryGivesTheSameSource(t *testing.T) {
	a, err := os.ReadFile(prepared(t, "10"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(prepared(t, "10"))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("got %d and %d bytes that differ (%v)", len(a), len(b), err)
	}
}

// gained finds how much better was served than never retraining, and from where the
// interval goes.
var gained = regexp.MustCompile(`gain (-?[0-9.]+) \((-?[0-9.]+)…`)

// TestTheYearIsServedBetterThanNeverRetrained replays all of 2016 through the binary,
// as a user does. A rehearsal of it gains 0.0128 on the 43,954 rows that are due by its end.
func TestTheYearIsServedBetterThanNeverRetrained(t *testing.T) {
	if os.Getenv("FLYBALL_LONG") == "" {
		t.Skip("it takes minutes; set FLYBALL_LONG=1")
	}
	bin := filepath.Join(t.TempDir(), "flyball")
	if raw, err := exec.Command("go", "build", "-o", bin, "flyball/cmd/flyball").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	url := serving(t, bin)
	var out bytes.Buffer
	err := command(t.Context(), []string{"run", "--dir", "..", "--source", prepared(t, "1"), "--url", url}, &out)
	t.Log(out.String())
	if err != nil {
		t.Fatal(err)
	}
	m := gained.FindStringSubmatch(out.String())
	if m == nil || strings.HasPrefix(m[2], "-") {
		t.Errorf("the gain of a year is within doubt: %v", m)
	}
}

// serving starts a server whose clock stands where the replay begins, and returns its
// address.
func serving(t *testing.T, bin string) string {
	t.Helper()
	c := exec.Command(bin, "serve", "--clock", "2016-01-01T00:00Z", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--log", "error")
	talk, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("the server stopped with %v", err)
		}
	})
	lines := bufio.NewScanner(talk)
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "flyball serves at "); ok {
			url, _, _ := strings.Cut(rest, ",")
			return url
		}
	}
	t.Fatal("the server did not say where it answers")
	return ""
}
